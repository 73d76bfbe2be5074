// Package replay feeds recorded traces to the recommender and compares what it decides with what the HPA controller
// decided. It does not depend on the controller.
package replay
