package recommend

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTextsInJSON: facts are written as their words, and words are what is read again.
func TestTextsInJSON(t *testing.T) {
	for name, c := range map[string]struct {
		step Step
		want string
	}{
		"facts": {Step{Stage: StageBounds, From: 30, To: 20, Reason: LimitedTooMany, Detail: Text{&bounds{min: 1, max: 20, from: 30, to: 20}}},
			`{"stage":"bounds","from":30,"to":20,"reason":"TooManyReplicas","detail":"30 is not within 1..20"}`},
		"words":        {Step{Stage: StageRatio, Metric: "cpu", Detail: Plain(`"a" & b`)}, `{"stage":"ratio","metric":"cpu","from":0,"to":0,"reason":"","detail":"\"a\" & b"}`},
		"nothing":      {Step{Stage: StagePods}, `{"stage":"pods","from":0,"to":0,"reason":""}`},
		"without word": {Step{Stage: StagePods, Detail: Plain("")}, `{"stage":"pods","from":0,"to":0,"reason":""}`},
	} {
		var written bytes.Buffer
		encoder := json.NewEncoder(&written)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(c.step); err != nil || written.String() != c.want+"\n" {
			t.Errorf("%s: error %v\n got %swant %s", name, err, &written, c.want)
		}
		var read Step
		if err := json.Unmarshal(written.Bytes(), &read); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.step, read); diff != "" {
			t.Errorf("%s, read again (-written +read):\n%s", name, diff)
		}
	}
	d, _ := recommend(policy(t, "target-cpu=50", "max=10"), snapshot(noon, 1, pods(noon, 1, "2200m")), History{})
	raw, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var read Decision
	if err := json.Unmarshal(raw, &read); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(d, read); diff != "" {
		t.Errorf("decision, read again (-written +read):\n%s", diff)
	}
}
