package scaler

import (
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// refused says that the API server has answered, and that the answer is no.
func refused(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && status.Status().Code >= 400 && status.Status().Code < 500 && !apierrors.IsTimeout(err)
}

// passes says whether an error is one that passes by itself.
func passes(err error) bool { return apierrors.IsConflict(err) || apierrors.IsTooManyRequests(err) }
