package podspec

import (
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Ports are the TCP ports of a pod that have names, of the containers that run as long as it does: "http=8080,admin=9090". It is a text so that all pods with the same
// ones can share it.
type Ports string

// PortsOf are those of a pod.
func PortsOf(spec *corev1.PodSpec) Ports {
	var all []string
	for _, c := range LongRunning(spec) {
		for _, port := range c.Ports {
			if port.Name != "" && (port.Protocol == corev1.ProtocolTCP || port.Protocol == "") {
				all = append(all, port.Name+"="+strconv.Itoa(int(port.ContainerPort)))
			}
		}
	}
	return Ports(strings.Join(all, ","))
}

// Number is that of a name; 0 if there is none. Of ports of the same name, the first counts, as it does for the EndpointSlice controller.
func (p Ports) Number(name string) int32 {
	for each := range strings.SplitSeq(string(p), ",") {
		if of, number, ok := strings.Cut(each, "="); ok && of == name {
			n, err := strconv.ParseInt(number, 10, 32)
			if err != nil {
				return 0
			}
			return int32(n)
		}
	}
	return 0
}
