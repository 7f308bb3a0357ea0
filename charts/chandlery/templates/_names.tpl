{{/* The names of everything. The longest suffix is "-trial-database". */}}
{{- define "chandlery.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $made := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $made .Values.fullnameOverride | trunc 48 | trimSuffix "-" -}}
{{- end }}

{{- define "chandlery.broker.name" -}}
{{ include "chandlery.fullname" . }}-broker
{{- end }}

{{- define "chandlery.controller.name" -}}
{{ include "chandlery.fullname" . }}-controller
{{- end }}

{{/* What is of the whole cluster carries the namespace, too: a release of the same name may be in another one. */}}
{{- define "chandlery.clusterName" -}}
{{ include "chandlery.fullname" . }}.{{ .Release.Namespace }}
{{- end }}

{{- define "chandlery.broker.account" -}}
{{- $account := .Values.broker.serviceAccount -}}
{{- default (ternary (include "chandlery.broker.name" .) "default" $account.create) $account.name -}}
{{- end }}

{{- define "chandlery.controller.account" -}}
{{- $account := .Values.controller.serviceAccount -}}
{{- default (ternary (include "chandlery.controller.name" .) "default" $account.create) $account.name -}}
{{- end }}

{{/* How the API server calls the controller. */}}
{{- define "chandlery.controller.user" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "chandlery.controller.account" . }}
{{- end }}

{{- define "chandlery.selector" -}}
app.kubernetes.io/name: {{ default .context.Chart.Name .context.Values.nameOverride }}
app.kubernetes.io/instance: {{ .context.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* dict "context" . "component" NAME */}}
{{- define "chandlery.labels" -}}
{{ include "chandlery.selector" . }}
app.kubernetes.io/version: {{ .context.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: chandlery
app.kubernetes.io/managed-by: {{ .context.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .context.Chart.Name .context.Chart.Version | replace "+" "_" }}
{{- with .context.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "chandlery.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end }}
{{- end }}

{{- define "chandlery.tls" -}}
{{ ternary "" "yes" (eq .Values.tls.mode "none") }}
{{- end }}

{{- define "chandlery.tls.secret" -}}
{{ ternary .Values.tls.existingSecret (printf "%s-tls" (include "chandlery.broker.name" .)) (eq .Values.tls.mode "existingSecret") }}
{{- end }}

{{- define "chandlery.service.port" -}}
{{ default (ternary 443 80 (eq (include "chandlery.tls" .) "yes")) .Values.broker.service.port | int }}
{{- end }}

{{- define "chandlery.login" -}}
{{ default (printf "%s-login" (include "chandlery.broker.name" .)) .Values.registration.existingSecret }}
{{- end }}

{{- define "chandlery.registers" -}}
{{ ternary "yes" "" (and .Values.broker.enabled .Values.registration.enabled) }}
{{- end }}

{{- define "chandlery.policy.secret" -}}
{{ default (printf "%s-policy" (include "chandlery.broker.name" .)) .Values.policy.existingSecret.name }}
{{- end }}

{{- define "chandlery.masterKey.secret" -}}
{{ default (printf "%s-master-key" (include "chandlery.broker.name" .)) .Values.masterKey.existingSecret.name }}
{{- end }}

{{- define "chandlery.database.secret" -}}
{{ ternary (printf "%s-trial-database" (include "chandlery.fullname" .)) .Values.database.existingSecret.name .Values.database.trial.enabled }}
{{- end }}

{{- define "chandlery.database.key" -}}
{{ ternary "DATABASE_URL" .Values.database.existingSecret.key .Values.database.trial.enabled }}
{{- end }}

{{- define "chandlery.catalog.configMap" -}}
{{- if .Values.catalog.existingConfigMap }}{{ .Values.catalog.existingConfigMap }}
{{- else if .Values.catalog.offerings }}{{ include "chandlery.broker.name" . }}-catalog
{{- end }}
{{- end }}

{{/* hook, init or none. */}}
{{- define "chandlery.migrations" -}}
{{- if not .Values.broker.enabled }}none
{{- else if ne .Values.migrations.mode "auto" }}{{ .Values.migrations.mode }}
{{- else }}{{ ternary "init" "hook" .Values.database.trial.enabled }}
{{- end }}
{{- end }}

{{/* Whether the cluster records who orders. */}}
{{- define "chandlery.identity" -}}
{{- $served := .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy" -}}
{{- $wanted := or (eq .Values.admission.identity "policy") (and (eq .Values.admission.identity "auto") $served) -}}
{{ ternary "yes" "" (and .Values.controller.enabled $wanted) }}
{{- end }}

{{/* Whether the controller records it for a cluster that does not. */}}
{{- define "chandlery.webhook" -}}
{{- $wanted := or (eq .Values.admission.identity "webhook") (and (eq .Values.admission.identity "auto") (not (include "chandlery.identity" .))) -}}
{{ ternary "yes" "" (and .Values.controller.enabled $wanted) }}
{{- end }}

{{- define "chandlery.webhook.secret" -}}
{{ default (printf "%s-webhook-tls" (include "chandlery.controller.name" .)) .Values.admission.webhook.existingSecret }}
{{- end }}

{{- define "chandlery.webhook.generates" -}}
{{ ternary "yes" "" (not (or .Values.admission.webhook.existingSecret .Values.admission.webhook.issuerRef)) }}
{{- end }}
