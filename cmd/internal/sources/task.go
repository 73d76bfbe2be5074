package sources

import (
	"time"

	"github.com/mini-hpa/mini-hpa/scaler/sources"
)

// task is one call of the command.
type task struct {
	file                string
	namespace, workload string
	// kinds are those of which the file may have sources, read is how files are read, and now the time.
	kinds []sources.Kind
	read  func(path string) ([]byte, error)
	now   func() time.Time
}
