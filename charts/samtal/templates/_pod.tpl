{{/* A pod's part that is the same for services, tests and one-off jobs. */}}
{{- define "samtal.podCommon" -}}
serviceAccountName: {{ include "samtal.name" . }}
automountServiceAccountToken: false
# Kubernetes' variables for each Service begin with SAMTAL_ here, and Samtal refuses settings that it does not know.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* A container's part that is the same: (list . "intake"); "" is a tool. */}}
{{- define "samtal.containerCommon" -}}
{{- $ := index . 0 -}}
{{- $name := index . 1 -}}
image: {{ include "samtal.image" $ }}
imagePullPolicy: {{ $.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
env:
  - name: POD_NAME
    valueFrom: {fieldRef: {fieldPath: metadata.name}}
  - name: SAMTAL_SECRET
    valueFrom: {secretKeyRef: {name: {{ $.Values.secret.existingSecret }}, key: {{ $.Values.secret.key }}}}
  {{- if $name }}
  {{- include "samtal.servers" . | trim | nindent 2 }}
  {{- end }}
  {{- with $.Values.caBundle.configMap }}
  - name: SSL_CERT_FILE
    value: /etc/samtal/ca/ca.crt
  - name: PGSSLROOTCERT
    value: /etc/samtal/ca/ca.crt
  {{- end }}
  {{- with $.Values.proxy.https }}
  - name: HTTPS_PROXY
    value: {{ . | quote }}
  - name: NO_PROXY
    value: {{ list $.Values.proxy.noProxy ".svc" ".cluster.local" "localhost" "127.0.0.1" | compact | join "," | quote }}
  {{- end }}
  {{- with $.Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
volumeMounts:
  - {name: settings, mountPath: /etc/samtal/samtal.toml, subPath: samtal.toml, readOnly: true}
  - {name: tmp, mountPath: /tmp}
  {{- if $.Values.caBundle.configMap }}
  - {name: ca, mountPath: /etc/samtal/ca, readOnly: true}
  {{- end }}
  {{- if eq $name "intake" }}
  - {name: attachments, mountPath: /var/lib/samtal/attachments}
  {{- end }}
  {{- if eq $name "samtal" }}
  - {name: data, mountPath: /var/lib/samtal}
  {{- end }}
{{- end }}

{{- define "samtal.volumesCommon" -}}
- name: settings
  configMap: {name: {{ include "samtal.name" . }}}
- name: tmp
  emptyDir: {sizeLimit: 256Mi}
{{- with .Values.caBundle.configMap }}
- name: ca
  configMap:
    name: {{ . }}
    items: [{key: {{ $.Values.caBundle.key }}, path: ca.crt}]
{{- end }}
{{- end }}

{{/* Addresses of servers, which may hold passwords: from Secrets, and only what has none from values. The gateway has neither store nor bus. */}}
{{- define "samtal.servers" -}}
{{- $ := index . 0 -}}
{{- $name := index . 1 -}}
{{- $v := $.Values -}}
{{- $own := dict -}}
{{- if ne $name "samtal" }}{{ $own = include "samtal.service" . | fromJson }}{{ end -}}
{{- range $server := list "store" "bus" "cache" "smtp" }}
  {{- $all := get $v $server }}
  {{- $one := get $own $server | default dict }}
  {{- $variable := printf "SAMTAL_%s" (upper $server) }}
  {{- if and (eq $name "gateway") (has $server (list "store" "bus")) }}
  {{- else if $one.existingSecret }}
- name: {{ $variable }}
  valueFrom: {secretKeyRef: {name: {{ $one.existingSecret }}, key: {{ $one.key | default $name }}}}
  {{- else if $all.existingSecret }}
- name: {{ $variable }}
  valueFrom: {secretKeyRef: {name: {{ $all.existingSecret }}, key: {{ $all.key }}}}
  {{- else if and (eq $server "store") $v.store.cluster.enabled }}
- name: {{ $variable }}
  valueFrom: {secretKeyRef: {name: {{ include "samtal.name" $ }}-store-app, key: uri}}
  {{- else if $all.url }}
- name: {{ $variable }}
  value: {{ $all.url | quote }}
  {{- end }}
{{- end }}
{{- end }}

{{/* gRPC's health as a whole says that the process serves. A log that takes no writes is no reason to send nobody there: it can still be read,
     by `samtal log rejoin` too, and no other replica could do better. The pages say of each service whether it does (/readyz). The same goes for
     the pages themselves: with one service away the rest of them work. */}}
{{- define "samtal.probes" -}}
{{- $ := index . 0 -}}
{{- $pages := has (index . 1) (list "gateway" "samtal") -}}
{{- $ask := $pages | ternary "httpGet: {path: /healthz, port: http}" "grpc: {port: 8081}" -}}
startupProbe:
  {{- if eq (index . 1) "samtal" }}
  httpGet: {path: /readyz, port: http}
  {{- else }}
  {{ $ask }}
  {{- end }}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: {{ div (int $.Values.startupSeconds) 2 }}
livenessProbe:
  {{ $ask }}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  {{ $ask }}
  periodSeconds: 5
  timeoutSeconds: 2
  failureThreshold: 2
{{- end }}
