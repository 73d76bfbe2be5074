package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"go.uber.org/zap"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// reviewHandler reads an AdmissionReview from HTTP, has it answered, and writes the answer. controller-runtime's
// admission.Webhook would do that as well, but it decodes a whole review before it checks anything, as JSON and if that fails as
// YAML: 200 requests of 256 KiB of "a,a,a," took more than a gigabyte.
type reviewHandler struct {
	handler admission.Handler
	log     *zap.Logger
}

// wireReview has the fields of an AdmissionReview that are read.
type wireReview struct {
	metav1.TypeMeta `json:",inline"`
	Request         *wireRequest `json:"request"`
}

// wireRequest has the fields of an AdmissionRequest that are read. The objects are not decoded yet.
type wireRequest struct {
	UID         types.UID               `json:"uid"`
	Kind        metav1.GroupVersionKind `json:"kind"`
	SubResource string                  `json:"subResource"`
	Name        string                  `json:"name"`
	Namespace   string                  `json:"namespace"`
	Operation   admissionv1.Operation   `json:"operation"`
	UserInfo    struct {
		Username string `json:"username"`
	} `json:"userInfo"`
	Object    json.RawMessage `json:"object"`
	OldObject json.RawMessage `json:"oldObject"`
}

// reviewType is the only version that the configuration asks for.
var reviewType = metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "AdmissionReview"}

// ServeHTTP answers one review. A body that is not a review gets status 400, so that the failurePolicy decides.
func (s *reviewHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	req, err := readReview(r)
	if err != nil {
		s.log.Warn("a request could not be read", zap.String("error", shortened(err.Error())))
		http.Error(w, "this is no AdmissionReview with a request", http.StatusBadRequest)
		return
	}
	response := s.handler.Handle(r.Context(), req)
	if err := response.Complete(req); err != nil { // it fails only for patches, and there are none
		s.log.Error("a response could not be completed", zap.Error(err))
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(admissionv1.AdmissionReview{TypeMeta: reviewType, Response: &response.AdmissionResponse}); err != nil {
		s.log.Warn("a response could not be sent", zap.Error(err))
	}
}

func readReview(r *http.Request) (admission.Request, error) {
	var body bytes.Buffer
	body.Grow(int(max(r.ContentLength, 0)) + bytes.MinRead) // the server has limited the length
	if _, err := io.Copy(&body, r.Body); err != nil {
		return admission.Request{}, fmt.Errorf("reading the body: %w", err)
	}
	var review wireReview
	if err := utiljson.Unmarshal(body.Bytes(), &review); err != nil {
		return admission.Request{}, fmt.Errorf("decoding the review: %w", err)
	}
	if review.TypeMeta != reviewType || review.Request == nil {
		return admission.Request{}, fmt.Errorf("the body is no %s of %s with a request", reviewType.Kind, reviewType.APIVersion)
	}
	wire := review.Request
	req := admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{UID: wire.UID, Kind: wire.Kind, SubResource: wire.SubResource,
		Name: wire.Name, Namespace: wire.Namespace, Operation: wire.Operation}}
	req.UserInfo.Username = wire.UserInfo.Username
	req.Object.Raw, req.OldObject.Raw = wire.Object, wire.OldObject
	return req, nil
}

// shortened cuts a text to what a log needs. It may be a stranger's, and megabytes long.
func shortened(text string) string {
	const enough = 256
	if len(text) > enough {
		return strings.ToValidUTF8(text[:enough], "") + "..."
	}
	return text
}
