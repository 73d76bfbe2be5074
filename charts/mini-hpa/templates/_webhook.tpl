{{/* Annotations of the webhook's configuration: those that are needed, unless a value says otherwise. */}}
{{- define "mini-hpa.webhookAnnotations" -}}
{{- $needed := dict "admissions.enforcer/disabled" "true" -}}{{/* AKS would write to the selectors */}}
{{- if eq .Values.webhook.tls.mode "cert-manager" -}}
{{- $_ := set $needed "cert-manager.io/inject-ca-from" (printf "%s/%s-webhook" (include "mini-hpa.namespace" .) (include "mini-hpa.fullname" .)) -}}
{{- end -}}
{{- merge (deepCopy .Values.webhook.annotations) $needed | toYaml -}}
{{- end -}}

{{/* Names and addresses of the webhook, as a cert-manager Certificate has them. */}}
{{- define "mini-hpa.certificateNames" -}}
{{- $service := printf "%s-webhook.%s.svc" (include "mini-hpa.fullname" .) (include "mini-hpa.namespace" .) -}}
{{- $names := list $service (printf "%s.cluster.local" $service) -}}
{{- $addresses := list -}}
{{- range .Values.webhook.hosts -}}
{{- if regexMatch "^[0-9.]+$|:" . -}}
{{- $addresses = append $addresses . -}}
{{- else -}}
{{- $names = append $names . -}}
{{- end -}}
{{- end -}}
dnsNames:
{{ toYaml $names }}
{{- with $addresses }}
ipAddresses:
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/*
A cert-manager Certificate's key. That of the CA stays (Never): the first leaf of a new CA puts that CA into the caBundle at once, and pods serve
their old leaf until the kubelet has brought them the new one; with the same key the new CA's certificate verifies both. That of a leaf is new
each time (Always).
*/}}
{{- define "mini-hpa.privateKey" -}}
privateKey:
  algorithm: ECDSA
  size: 256
  rotationPolicy: {{ . }}
{{- end -}}

{{/*
One webhook of the configuration. Takes root, name, rules and template: whether all objects have a pod template at spec.template and replicas
at spec.replicas. Of others nothing is known but the metadata, so that any change of their spec is looked at.
*/}}
{{- define "mini-hpa.webhook" -}}
- name: {{ .name }}.webhook.mini-hpa
  clientConfig:
    service:
      name: {{ include "mini-hpa.fullname" .root }}-webhook
      namespace: {{ include "mini-hpa.namespace" .root }}
      path: /validate-workloads
      port: 443
  rules:
  {{- toYaml .rules | nindent 2 }}
  matchPolicy: Equivalent
  failurePolicy: {{ .root.Values.webhook.failurePolicy }}
  sideEffects: None
  timeoutSeconds: {{ .root.Values.webhook.timeoutSeconds }}
  admissionReviewVersions: [v1]
  namespaceSelector:
    matchExpressions: # nothing in the release's namespace may depend on this webhook, least of all itself
    - {{ include "mini-hpa.guardedNamespaces" .root | nindent 6 | trim }}
  matchConditions: # the API server sends nothing else, so nothing else can suffer from this webhook
  - name: annotated
    expression: >-
      object.metadata.?annotations.orValue({}).exists(k, k.startsWith('mini-hpa/'))
      {{- if .template }} ||
      object.spec.template.?metadata.?annotations.orValue({}).exists(k, k.startsWith('mini-hpa/'))
      {{- end }}
  - name: of-this-class # each installation checks the workloads of its class, and no others suffer from it
    expression: >-
      {{- if .root.Values.controller.class }}
      object.metadata.?annotations[?'mini-hpa/class'].orValue('').matches('^ *{{ .root.Values.controller.class }} *$')
      {{- else }}
      !object.metadata.?annotations[?'mini-hpa/class'].orValue('').matches('^ *[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])? *$')
      {{- end }}
  - name: relevant-change
    expression: >-
      request.operation == 'CREATE' ||
      object.metadata.?annotations.orValue({}).exists(k, k.startsWith('mini-hpa/') &&
      oldObject.metadata.?annotations[?k] != object.metadata.?annotations[?k]) ||
      oldObject.metadata.?annotations.orValue({}).exists(k, k.startsWith('mini-hpa/') &&
      !(k in object.metadata.?annotations.orValue({}))) ||
      {{- if .template }}
      object.spec.template != oldObject.spec.template ||
      object.spec.?replicas != oldObject.spec.?replicas
      {{- else }}
      object.?spec != oldObject.?spec
      {{- end }}
  - name: not-terminating
    expression: "!has(object.metadata.deletionTimestamp)"
  {{- if .template }}
  - name: not-a-revision # the Deployment controller makes ReplicaSets, with the annotations of the Deployment
    expression: >-
      request.kind.kind != 'ReplicaSet' ||
      !object.metadata.?ownerReferences.orValue([]).exists(o, o.?controller.orValue(false))
  {{- end }}
{{- end -}}
