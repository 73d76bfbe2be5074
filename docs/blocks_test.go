package docs

import "testing"

func TestFill(t *testing.T) {
	const page = "# A\n<!-- begin generated: rows -->\nold\n<!-- end generated: rows -->\nnow <!-- begin generated: n -->1<!-- end generated: n --> of them\n"
	tests := map[string]struct {
		page   string
		blocks map[string]string
		want   string
		err    string
	}{
		"lines and a word": {
			page: page, blocks: map[string]string{"rows": "| a |\n| b |\n", "n": "2"},
			want: "# A\n<!-- begin generated: rows -->\n| a |\n| b |\n<!-- end generated: rows -->\nnow <!-- begin generated: n -->2<!-- end generated: n --> of them\n",
		},
		"none":         {page: page, want: page},
		"no such name": {page: page, blocks: map[string]string{"other": ""}, err: `wants one "<!-- begin generated: other -->" and one "<!-- end generated: other -->" behind it`},
		"twice":        {page: page + page, blocks: map[string]string{"n": "2"}, err: `wants one "<!-- begin generated: n -->" and one "<!-- end generated: n -->" behind it`},
		"no end":       {page: "<!-- begin generated: n -->", blocks: map[string]string{"n": "2"}, err: `wants one "<!-- begin generated: n -->" and one "<!-- end generated: n -->" behind it`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Fill(test.page, test.blocks)
			if got != test.want || err == nil && test.err != "" || err != nil && err.Error() != test.err {
				t.Errorf("got %q, %v; want %q, %q", got, err, test.want, test.err)
			}
		})
	}
}
