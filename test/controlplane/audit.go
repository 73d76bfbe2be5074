//go:build unix

package controlplane

const auditPolicyFile = "audit-policy.yaml"

// auditPolicy logs who asked what, once per request and stage; the stage before the request is handled would only double it. What was
// written and what became of it is logged where replicas and Leases are written.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
- level: RequestResponse
  verbs: [create, update, patch]
  resources:
  - {group: apps, resources: [deployments, deployments/scale]}
  - {group: coordination.k8s.io, resources: [leases]}
- level: Metadata
`

// AuditLog is the path of the API server's audit log, one JSON object (audit.k8s.io/v1 Event) per line for every request of every
// client, with the bodies of writes of Deployments, their scales and Leases; "" unless Options.Audit was set. A line is written when
// the response is complete, which may be an instant after the client has it.
func (c *Cluster) AuditLog() string {
	if !c.options.Audit {
		return ""
	}
	return c.file("audit.log")
}
