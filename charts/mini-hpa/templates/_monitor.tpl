{{/* A ServiceMonitor or PodMonitor. Takes its values with root, kind, endpoints (the field's name) and component (whose label it selects by), or several components. */}}
{{- define "mini-hpa.monitor" -}}
apiVersion: monitoring.coreos.com/v1
kind: {{ .kind }}
metadata:
  name: {{ include "mini-hpa.fullname" .root }}
  namespace: {{ .namespace | default (include "mini-hpa.namespace" .root) }}
  labels:
    {{- include "mini-hpa.labels" .root | nindent 4 }}
    {{- with .labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  namespaceSelector:
    matchNames: [{{ include "mini-hpa.namespace" .root }}]
  selector:
    matchLabels:
      {{- include "mini-hpa.names" .root | nindent 6 }}
      {{- if not .components }}
      app.kubernetes.io/component: {{ .component }}
      {{- else }}
    matchExpressions:
    - key: app.kubernetes.io/component
      operator: In
      values: [{{ join ", " .components }}]
      {{- end }}
  {{ .endpoints }}:
  - port: metrics
    path: /metrics
    honorLabels: true # keeps the label "namespace", which is the workload's
    {{- if include "mini-hpa.secureMetrics" .root }}
    {{- $secure := .root.Values.metrics.secure }}
    scheme: https
    {{- with $secure.tlsConfig }}
    tlsConfig:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- if $secure.token }}
    authorization:
      type: Bearer
      credentials:
        {{- toYaml $secure.token | nindent 8 }}
    {{- else }}
    bearerTokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token
    {{- end }}
    {{- end }}
    {{- with .interval }}
    interval: {{ . }}
    {{- end }}
    {{- with .scrapeTimeout }}
    scrapeTimeout: {{ . }}
    {{- end }}
    {{- with .relabelings }}
    relabelings:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- with .metricRelabelings }}
    metricRelabelings:
      {{- toYaml . | nindent 6 }}
    {{- end }}
{{- end -}}
