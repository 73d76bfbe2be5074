//go:build unix

package controlplane

const auditPolicyFile = "audit-policy.yaml"

// auditPolicy logs each request when it is answered, and a watch also when it begins. Writes of Deployments, their scales and Leases are
// logged with what was sent and what was answered.
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
