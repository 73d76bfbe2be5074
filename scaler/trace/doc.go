// Package trace is the recorded form of what a controller saw of one workload: one JSON object a line (JSON Lines), a
// header with the annotated workload and then one observation for each look. Traces are written by a running
// controller or put together by hand, and replayed through the recommender:
//
//	Recorder -> Writer -> file -> Reader -> Replay -> Outcome, Summary
//
// Nothing here knows a clock: time comes in with the observations.
package trace
