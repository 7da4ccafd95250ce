{{- define "notify-push.name" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (.Values.nameOverride | default .Chart.Name) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "notify-push.selector" -}}
app.kubernetes.io/name: {{ .Values.nameOverride | default .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "notify-push.labels" -}}
{{ include "notify-push.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "notify-push.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "notify-push.name" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* Without a configuration the pods would only crash: stop before they exist. */}}
{{- define "notify-push.check" -}}
{{- $named := list -}}
{{- range .Values.extraEnv -}}{{- $named = append $named .name -}}{{- end -}}
{{- if not (or .Values.config.existingClaim .Values.envFromSecret .Values.env.DATABASE_URL (has "DATABASE_URL" $named)) -}}
{{- fail "\n\nSet config.existingClaim to the volume claim with your Nextcloud's config.php, or envFromSecret to a secret with DATABASE_URL, REDIS_URL and NEXTCLOUD_SECRET. docs/install-kubernetes.md has an example of both.\n" -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{- fail "\n\nSet httpRoute.parentRefs to your Gateway: [{name: public, namespace: gateways}]\n" -}}
{{- end -}}
{{- end -}}
