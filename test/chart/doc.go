// Package chart tests the Helm chart in charts/mini-hpa as its users meet it: rendered by the libraries of Helm 3 and Helm 4,
// created by dry run on a real API server, installed, upgraded and removed.
package chart
