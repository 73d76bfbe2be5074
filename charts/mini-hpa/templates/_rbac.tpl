{{/* The binding of a role to the controller. Takes root, kind (Role or ClusterRole), name and, for a Role, namespace. */}}
{{- define "mini-hpa.binding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}Binding
{{ include "mini-hpa.rbacMetadata" . }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .kind }}
  name: {{ .name }}
subjects:
- kind: ServiceAccount
  name: {{ include "mini-hpa.serviceAccountName" .root }}
  namespace: {{ include "mini-hpa.namespace" .root }}
{{- end -}}

{{- define "mini-hpa.rbacMetadata" -}}
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "mini-hpa.labels" .root | nindent 4 }}
{{- end -}}

{{/* What the controller may do about workloads. Replicas change through the scale subresource only. */}}
{{- define "mini-hpa.workloadRules" -}}
- apiGroups: [apps]
  resources: [deployments]
  verbs: [list, watch]
- apiGroups: [apps]
  resources: [deployments/scale]
  verbs: [update, patch]
- apiGroups: [apps]
  resources: [replicasets]
  {{- /* The webhook reads single ReplicaSets, to recognize a rollback. */}}
  verbs: [{{ if .Values.webhook.enabled }}get, {{ end }}list, watch]
- apiGroups: [""]
  resources: [pods, limitranges]
  verbs: [list, watch]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [list, watch]
{{- if .Values.rbac.keda }}
- apiGroups: [keda.sh]
  resources: [scaledobjects]
  verbs: [list, watch]
{{- end }}
{{- if .Values.rbac.vpa }}
- apiGroups: [autoscaling.k8s.io]
  resources: [verticalpodautoscalers]
  verbs: [list, watch]
{{- end }}
{{- if .Values.webhook.enabled }}
- apiGroups: [""]
  resources: [namespaces]
  {{- /* The webhook reads the labels of a namespace, to recognize injected containers. */}}
  verbs: [get]
{{- end }}
- apiGroups: [metrics.k8s.io]
  resources: [pods]
  verbs: [list]
{{- /* Each metric is a resource of its own in this API. A request names the pods or the object, so its verb is get. */}}
{{- if .Values.rbac.customMetrics }}
- apiGroups: [custom.metrics.k8s.io]
  resources: ["*"]
  verbs: [get]
{{- end }}
{{- if .Values.rbac.externalMetrics }}
- apiGroups: [external.metrics.k8s.io]
  resources: ["*"]
  verbs: [list]
{{- end }}
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- end -}}
