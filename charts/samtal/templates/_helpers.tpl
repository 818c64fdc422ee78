{{/* The services that have a log; the gateway has none. */}}
{{- define "samtal.logs" -}}
intake triage routing scheduling notifications insights
{{- end }}

{{- define "samtal.name" -}}
{{- if contains "samtal" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-samtal" (.Release.Name | trunc 33 | trimSuffix "-") }}{{ end -}}
{{- end }}

{{/* What chooses pods of this release: (list . "intake"), or (list . "") for all of them. */}}
{{- define "samtal.selector" -}}
{{- $ := index . 0 -}}
app.kubernetes.io/name: samtal
app.kubernetes.io/instance: {{ $.Release.Name }}
{{- with index . 1 }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{- define "samtal.labels" -}}
{{- $ := index . 0 -}}
{{ include "samtal.selector" . }}
app.kubernetes.io/version: {{ $.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $.Chart.Name $.Chart.Version | replace "+" "_" }}
{{- with $.Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Of pods: nothing that changes with the chart alone, which would restart them all. */}}
{{- define "samtal.podLabels" -}}
{{ include "samtal.selector" . }}
{{- with (index . 0).Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "samtal.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* A service's values, over what holds for all: (list . "intake"), as JSON. */}}
{{- define "samtal.service" -}}
{{- $ := index . 0 -}}
{{- mergeOverwrite (deepCopy $.Values.defaults) (deepCopy (get $.Values.services (index . 1) | default dict)) | toJson -}}
{{- end }}

{{- define "samtal.host" -}}
{{- (urlParse .Values.pages.publicUrl).host | splitList ":" | first -}}
{{- end }}

{{/* Whether anything of mode `single` lies outside the pod. */}}
{{- define "samtal.embedded" -}}
{{- if and (eq .Values.mode "single") (not .Values.store.existingSecret) (not .Values.store.cluster.enabled) }}true{{ end -}}
{{- end }}

{{/* The services of this mode by name: of `single`, the one that is all. */}}
{{- define "samtal.grpcServices" -}}
{{- if eq .Values.mode "single" }}samtal{{ else }}{{ include "samtal.logs" . }}{{ end -}}
{{- end }}

{{/* A service's object name and its host name for integrators: (list . "intake" "api.example.org"). */}}
{{- define "samtal.object" -}}
{{- $ := index . 0 -}}
{{- if eq (index . 1) "samtal" }}{{ include "samtal.name" $ }}{{ else }}{{ include "samtal.name" $ }}-{{ index . 1 }}{{ end -}}
{{- end }}
{{- define "samtal.grpcHost" -}}
{{- if eq (index . 1) "samtal" }}{{ index . 2 }}{{ else }}{{ index . 1 }}.{{ index . 2 }}{{ end -}}
{{- end }}

{{/* A map as TOML: (list MAP ""); the second is a table's path. Helm's own toToml writes 10 as 10.0, for numbers in values are floats. */}}
{{- define "samtal.toml" -}}
{{- $path := index . 1 -}}
{{- range $key, $value := index . 0 }}
{{- if not (kindIs "map" $value) }}
{{ $key }} = {{ $value | toJson }}
{{- end }}
{{- end }}
{{- range $key, $value := index . 0 }}
{{- if kindIs "map" $value }}
{{- $table := ne $path "" | ternary (printf "%s.%s" $path $key) $key }}

[{{ $table }}]
{{- include "samtal.toml" (list $value $table) }}
{{- end }}
{{- end }}
{{- end }}
