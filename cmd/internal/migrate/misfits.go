package migrate

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/hpa"
	"github.com/mini-hpa/mini-hpa/cmd/internal/fitting"
	"github.com/mini-hpa/mini-hpa/cmd/internal/keda"
)

// misfits are remarks on the fields that keep an object from being read, each by itself; none if something else keeps it from that. What a trigger says is not
// repeated: it may be a credential.
func (o *object) misfits() []hpa.Remark {
	form := hpa.Form(o.APIVersion)
	if o.Kind == annotations.KindScaledObject {
		form = &keda.ScaledObject{}
	}
	if form == nil {
		return nil
	}
	return misfits(o.fields, form, func(path string, value any) string {
		if o.document.Node == nil {
			return fmt.Sprint(value)
		}
		return o.document.Written(path, value)
	})
}

// misfitsOf are those of an HPA that was made in JSON.
func misfitsOf(data []byte) []hpa.Remark {
	o := &object{}
	if json.Unmarshal(data, &o.fields) != nil {
		return nil
	}
	o.APIVersion = newObject(o.fields).APIVersion
	return o.misfits()
}

func misfits(fields map[string]any, form any, written func(path string, value any) string) []hpa.Remark {
	problems, err := fitting.Fit(fields, form, fitting.Structs{}, written)
	if err != nil {
		return nil
	}
	var remarks []hpa.Remark
	for _, p := range problems {
		value, must := "", p.Detail
		switch v := p.BadValue.(type) {
		case string:
			value = v
		case bool, int64, float64:
			value = written(p.Field, v)
		}
		if strings.HasPrefix(p.Field, "spec.triggers[") {
			value = ""
			must, _, _ = strings.Cut(must, ": ")
		}
		remarks = append(remarks, hpa.Remark{Path: p.Field, Value: value, Why: "cannot be read, so that nothing is made of it: it " + must, Lost: true})
	}
	return remarks
}
