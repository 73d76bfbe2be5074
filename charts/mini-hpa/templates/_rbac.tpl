{{/* The binding of a role to the controller, or to the ServiceAccount in account. Takes root, kind (Role or ClusterRole), name and, for a Role, namespace. */}}
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
  name: {{ .account | default (include "mini-hpa.serviceAccountName" .root) }}
  namespace: {{ include "mini-hpa.namespace" .root }}
{{- end -}}

{{/* The subjects of a binding, of a list of kind, name and, of a ServiceAccount, namespace. */}}
{{- define "mini-hpa.subjects" }}
{{- range . }}
- kind: {{ .kind }}
  name: {{ quote .name }}
  {{- if eq .kind "ServiceAccount" }}
  namespace: {{ .namespace }}
  {{- else }}
  apiGroup: rbac.authorization.k8s.io
  {{- end }}
{{- end }}
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

{{/* Of a kind as it is named in controller.kinds, such as rollouts.argoproj.io: its resource, and its API group. */}}
{{- define "mini-hpa.resourceOf" -}}{{ splitList "." . | first }}{{- end -}}
{{- define "mini-hpa.groupOf" -}}{{ splitList "." . | rest | join "." }}{{- end -}}

{{/* What the controller may do about workloads. Replicas change through the scale subresource only. */}}
{{- define "mini-hpa.workloadRules" -}}
- apiGroups: [apps]
  resources: [deployments, statefulsets]
  verbs: [list, watch]
# A patch writes replicas where others change the workload faster than an update can be made, and 0 of a workload that may sleep: of an update the API
# server does not record who has made it, so that after a restart such a sleep would count as a pause.
- apiGroups: [apps]
  resources: [deployments/scale, statefulsets/scale, replicasets/scale]
  verbs: [update, patch]
{{- if .Values.webhook.enabled }}
# The webhook reads single ReplicaSets, and revisions of StatefulSets, to recognize a rollback.
{{- end }}
- apiGroups: [apps]
  resources: [replicasets]
  verbs: [{{ if .Values.webhook.enabled }}get, {{ end }}list, watch]
{{- if .Values.webhook.enabled }}
- apiGroups: [apps]
  resources: [controllerrevisions]
  verbs: [get, list]
{{- end }}
{{- range .Values.controller.kinds }}
- apiGroups: [{{ include "mini-hpa.groupOf" . }}]
  resources: [{{ include "mini-hpa.resourceOf" . }}]
  verbs: [list, watch]
- apiGroups: [{{ include "mini-hpa.groupOf" . }}]
  resources: [{{ include "mini-hpa.resourceOf" . }}/scale]
  verbs: [update, patch]
{{- end }}
# Pods, and requests that a LimitRange supplies.
- apiGroups: [""]
  resources: [pods, limitranges]
  verbs: [list, watch]
# Other autoscalers, which mini-hpa stays away from or warns of.
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
# The webhook reads the labels of a namespace, to recognize that containers are injected.
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get]
{{- end }}
- apiGroups: [metrics.k8s.io]
  resources: [pods]
  verbs: [list]
{{- if .Values.rbac.customMetrics }}
# Each metric is a resource of its own in this API. A request names the pods or the object, so its verb is get.
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
