// Command pause does nothing until it is told to end: it holds a pod's namespaces open. It is built into an image for the node test.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGINT, syscall.SIGTERM)
	<-told
}
