package sources

import (
	"net"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// mostAddresses is how many addresses an entry may have.
const mostAddresses = 64

// checkAddresses says what is wrong with a list of HOST:PORT; example is what one looks like.
func checkAddresses(all []string, example string, at *field.Path) (problems field.ErrorList) {
	switch n := len(all); {
	case n == 0:
		return field.ErrorList{field.Required(at, "such as ["+example+"]")}
	case n > mostAddresses:
		problems = append(problems, field.TooMany(at, n, mostAddresses))
	}
	for i, address := range all {
		problems = append(problems, checkAddress(address, example, at.Index(i))...)
	}
	return problems
}

// checkAddress says what is wrong with HOST:PORT; example is what it looks like.
func checkAddress(address, example string, at *field.Path) field.ErrorList {
	if address == "" {
		return field.ErrorList{field.Required(at, "such as "+example)}
	}
	host, port, err := net.SplitHostPort(address)
	number, malformed := strconv.ParseUint(port, 10, 16)
	// Outside of Kubernetes names have a "_", too.
	isName := len(validation.IsDNS1123Subdomain(strings.ReplaceAll(hostOf(host), "_", "-"))) == 0
	if err != nil || malformed != nil || number == 0 || !isName && net.ParseIP(host) == nil {
		return field.ErrorList{field.Invalid(at, address, "want HOST:PORT")}
	}
	return nil
}
