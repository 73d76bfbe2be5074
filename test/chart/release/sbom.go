package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
)

// bom lists the modules that a program holds, by the word of its linker, as CycloneDX does: https://cyclonedx.org/docs/1.6/json
func bom(program, version, platform string, at time.Time) ([]byte, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return nil, err
	}
	list := cyclonedx.NewBOM()
	list.Metadata = &cyclonedx.Metadata{
		Timestamp: at.Format(time.RFC3339),
		Component: &cyclonedx.Component{
			BOMRef: purl(info.Main.Path, version), Type: cyclonedx.ComponentTypeApplication, Name: "mini-hpa", Version: version,
			PackageURL: purl(info.Main.Path, version), Description: platform,
			Licenses: &cyclonedx.Licenses{{Expression: "Apache-2.0 AND MPL-2.0"}},
		},
	}
	components := []cyclonedx.Component{component("std", strings.TrimPrefix(info.GoVersion, "go"), "")}
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		components = append(components, component(module.Path, module.Version, hash(module)))
	}
	list.Components = &components
	var text bytes.Buffer
	err = cyclonedx.NewBOMEncoder(&text, cyclonedx.BOMFileFormatJSON).SetPretty(true).Encode(list)
	return text.Bytes(), err
}

func component(path, version, sum string) cyclonedx.Component {
	one := cyclonedx.Component{BOMRef: purl(path, version), Type: cyclonedx.ComponentTypeLibrary, Name: path, Version: version, PackageURL: purl(path, version)}
	if sum != "" {
		one.Hashes = &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: sum}}
	}
	return one
}

// purl is the module's package URL: https://github.com/package-url/purl-spec
func purl(path, version string) string {
	return fmt.Sprintf("pkg:golang/%s@%s", path, strings.ReplaceAll(version, "+", "%2B"))
}

// hash is a module's sum in go.sum, which is a SHA-256 in base64 behind "h1:", in hexadecimal digits.
func hash(module *debug.Module) string {
	sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(module.Sum, "h1:"))
	if err != nil {
		return ""
	}
	return hex.EncodeToString(sum)
}
