package recommend

// ErrorPending is the entry of Snapshot.Errors for a metric that has been asked for and not answered yet. It is no
// failure worth a warning, but the metric cannot be evaluated.
const ErrorPending = "waiting for the first answer"
