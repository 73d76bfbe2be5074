package loadsim

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/munnerz/goautoneg"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

var (
	scheme = newScheme()
	codecs = serializer.NewCodecFactory(scheme)
)

func newScheme() *runtime.Scheme {
	s := runtime.NewScheme()
	utilruntime.Must(metricsv1beta1.AddToScheme(s))
	utilruntime.Must(custommetricsv1beta2.AddToScheme(s))
	utilruntime.Must(externalmetricsv1beta1.AddToScheme(s))
	utilruntime.Must(metav1.AddMetaToScheme(s))
	metav1.AddToGroupVersion(s, metav1.Unversioned)
	return s
}

// representation is what a client accepts: an encoding and, for kubectl get, a table instead of the object.
type representation struct {
	runtime.SerializerInfo
	table bool
}

// negotiate chooses the representation as API servers do: the first clause of the Accept header that can be served,
// best quality first; without a header JSON.
func negotiate(accept string, withTables bool) (representation, error) {
	supported := codecs.SupportedMediaTypes()
	if accept == "" {
		return representation{SerializerInfo: supported[0]}, nil
	}
	for _, clause := range goautoneg.ParseAccept(accept) {
		for _, info := range supported {
			if r, ok := represent(clause, info); ok && (withTables || !r.table) {
				return r, nil
			}
		}
	}
	return representation{SerializerInfo: supported[0]}, notAcceptable(accept)
}

func represent(clause goautoneg.Accept, info runtime.SerializerInfo) (representation, bool) {
	r := representation{SerializerInfo: info}
	if clause.Type != "*" && clause.Type != info.MediaTypeType ||
		clause.SubType != "*" && clause.SubType != info.MediaTypeSubType {
		return r, false
	}
	as := schema.GroupVersionKind{Group: clause.Params["g"], Version: clause.Params["v"], Kind: clause.Params["as"]}
	r.table = as == metav1.SchemeGroupVersion.WithKind("Table") && info.MediaType == runtime.ContentTypeJSON
	return r, (r.table || as.Empty()) && clause.Params["stream"] == ""
}

func notAcceptable(accept string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusNotAcceptable, Reason: metav1.StatusReasonNotAcceptable,
		Message: fmt.Sprintf("none of %s can be served, only JSON, YAML and protobuf", quote(accept)),
	}}
}

// status is the object an error is answered with.
func status(err error) *metav1.Status {
	var known apierrors.APIStatus
	if !errors.As(err, &known) {
		known = apierrors.NewInternalError(err)
	}
	s := known.Status()
	return &s
}

// write encodes the object for the client. An error of the connection is the client's to see.
func (r representation) write(w http.ResponseWriter, code int, object runtime.Object) error {
	data, err := runtime.Encode(codecs.EncoderForVersion(r.Serializer, version(object)), object)
	if err != nil {
		return fmt.Errorf("cannot encode %T as %s: %w", object, r.MediaType, err)
	}
	w.Header().Set("Content-Type", r.MediaType)
	w.Header().Set("Cache-Control", "no-cache, private")
	w.WriteHeader(code)
	_, err = w.Write(data)
	return err
}

func version(object runtime.Object) schema.GroupVersion {
	switch object.(type) {
	case *metav1.Table:
		return metav1.SchemeGroupVersion
	case *custommetricsv1beta2.MetricValueList:
		return custommetricsv1beta2.SchemeGroupVersion
	case *externalmetricsv1beta1.ExternalMetricValueList:
		return externalmetricsv1beta1.SchemeGroupVersion
	}
	return metricsv1beta1.SchemeGroupVersion
}
