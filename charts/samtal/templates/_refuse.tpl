{{/* What must not be installed, said while rendering. Types and names are the schema's. */}}
{{- define "samtal.refuse" -}}
{{- $v := .Values -}}
{{- if not $v.image.repository }}{{ fail "image.repository is required: where you keep Samtal's image, such as registry.example.org/samtal" }}{{ end }}
{{- if not $v.secret.existingSecret }}{{ fail "secret.existingSecret is required: the Secret with the installation's secret (openssl rand -hex 32)" }}{{ end }}
{{- if not $v.pages.publicUrl }}{{ fail "pages.publicUrl is required: the https address at which browsers find the pages" }}{{ end }}
{{- range $name := list "bus" "cache" "smtp" }}
  {{- $server := get $v $name }}
  {{- if and $server.url $server.existingSecret }}{{ fail (printf "%s: give either url or existingSecret" $name) }}{{ end }}
  {{- if contains "@" $server.url }}{{ fail (printf "%s.url holds a user or a password, which everybody who sees the release could read: put the address into a Secret and name it in %s.existingSecret" $name $name) }}{{ end }}
{{- end }}
{{- if and $v.store.existingSecret $v.store.cluster.enabled }}{{ fail "store: give either existingSecret or cluster" }}{{ end }}
{{- range $key := list "data" "store" "bus" "cache" "secret" "smtp" "grpc" "http" "metrics" "demo" "failpoint" "peers" "attachments" }}
  {{- if hasKey $v.settings.extra $key }}{{ fail (printf "settings.extra.%s: this setting has a value of its own, or is no setting for a cluster" $key) }}{{ end }}
{{- end }}
{{- range $v.extraEnv }}
  {{- if has .name (list "SAMTAL_DEMO" "SAMTAL_FAILPOINT" "SAMTAL_SECRET" "SAMTAL_STORE" "SAMTAL_BUS" "SAMTAL_CACHE" "SAMTAL_SMTP") }}{{ fail (printf "extraEnv: %s has a value of its own, or is no setting for a cluster" .name) }}{{ end }}
{{- end }}
{{- if and $v.ingress.grpc.enabled (not $v.ingress.grpc.domain) }}{{ fail "ingress.grpc.domain is required: services answer at SERVICE.domain" }}{{ end }}
{{- range $kind, $route := $v.gatewayApi }}
  {{- if and $route.enabled (not $route.parentRefs) }}{{ fail (printf "gatewayApi.%s.parentRefs is required: the Gateways that the route belongs to" $kind) }}{{ end }}
{{- end }}
{{- if and $v.gatewayApi.grpc.enabled (not $v.gatewayApi.grpc.domain) }}{{ fail "gatewayApi.grpc.domain is required: services answer at SERVICE.domain" }}{{ end }}
{{- if and $v.monitoring.podMonitor.enabled (not $v.monitoring.enabled) }}{{ fail "monitoring.enabled is required with monitoring.podMonitor: there would be nothing to fetch" }}{{ end }}
{{- if and $v.monitoring.enabled $v.networkPolicy.enabled (not $v.networkPolicy.metricsFrom) }}{{ fail "networkPolicy.metricsFrom is required with monitoring.enabled: Prometheus' pods" }}{{ end }}
{{- if and $v.networkPolicy.enabled (or $v.ingress.grpc.enabled $v.gatewayApi.grpc.enabled) (not $v.networkPolicy.grpcFrom) }}{{ fail "networkPolicy.grpcFrom is required with a way in for gRPC: the pods of the Ingress controller or Gateway" }}{{ end }}
{{- if eq $v.mode "region" }}
  {{- if not (or $v.store.existingSecret $v.store.cluster.enabled) }}{{ fail "store.existingSecret (or store.cluster) is required in mode region" }}{{ end }}
  {{- if not (or $v.bus.url $v.bus.existingSecret $v.defaults.bus.existingSecret) }}{{ fail "bus.url or bus.existingSecret is required in mode region: services that run alone share NATS" }}{{ end }}
  {{- if not (or $v.cache.url $v.cache.existingSecret) }}{{ fail "cache.url or cache.existingSecret is required in mode region: replicas share Redis" }}{{ end }}
  {{- range $name, $_ := $v.services }}
    {{- $service := include "samtal.service" (list $ $name) | fromJson }}
    {{- $scaling := $service.autoscaling }}
    {{- if and (eq $scaling.kind "keda") (not $scaling.triggers) }}{{ fail (printf "services.%s.autoscaling.triggers is required with keda" $name) }}{{ end }}
    {{- if and (ne $scaling.kind "none") (gt (int $scaling.minReplicas) (int $scaling.maxReplicas)) }}{{ fail (printf "services.%s.autoscaling: minReplicas exceeds maxReplicas" $name) }}{{ end }}
    {{- if and (eq $name "intake") (eq $v.attachments.accessMode "ReadWriteOnce") (not $v.attachments.existingClaim) (or (ne $scaling.kind "none") (gt (int $service.replicas) 1)) }}{{ fail "attachments.accessMode ReadWriteOnce goes with services.intake.replicas 1 and no autoscaler: all replicas of intake share these files" }}{{ end }}
  {{- end }}
{{- else }}
  {{- if or $v.bus.url $v.bus.existingSecret $v.cache.existingSecret $v.cache.url }}{{ fail "mode single has bus and cache in its process: leave bus and cache empty, or use mode region" }}{{ end }}
  {{- range $name, $service := $v.services }}
    {{- if $service }}{{ fail (printf "services.%s: mode single has no services of their own; use `single`" $name) }}{{ end }}
  {{- end }}
{{- end }}
{{- end }}
