package dashboard

// Paths of pages and of what they ask for. A workload is NAMESPACE/KIND/NAME, in which KIND is as in annotations.Key.String.
const (
	pathWorkload = "/w/"
	pathSystem   = "/system"
	pathStream   = "/stream"
	pathTry      = "/try/"
	pathDoctor   = "/doctor"
	named        = "{namespace}/{kind}/{name}"
)
