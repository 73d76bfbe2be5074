package explain

import "github.com/mini-hpa/mini-hpa/cmd/internal/cli"

// page is the text of an explanation.
type page struct{ *cli.Page }
