{{/* What the pods of broker, controller and Jobs have in common. dict "context" . "of" VALUES "component" NAME */}}
{{- define "chandlery.pod.metadata" -}}
labels:
  {{- include "chandlery.labels" (pick . "context" "component") | nindent 2 }}
  {{- with .of.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .of.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "chandlery.pod.scheduling" -}}
{{- with .of.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .of.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .of.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .of.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "chandlery.pod.spread" -}}
topologySpreadConstraints:
{{- if kindIs "slice" .of.topologySpreadConstraints }}
  {{- toYaml .of.topologySpreadConstraints | nindent 2 }}
{{- else }}
{{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "chandlery.selector" (pick $ "context" "component") | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
{{- end }}
{{- end }}
{{- end }}

{{- define "chandlery.pod.security" -}}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "chandlery.container.image" -}}
image: {{ include "chandlery.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- toYaml .Values.containerSecurityContext | nindent 2 }}
{{- end }}

{{/* The settings by the names of their variables. */}}
{{- define "chandlery.settings" -}}
{{- range $name, $value := . }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{- define "chandlery.database.env" -}}
- name: DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ include "chandlery.database.secret" . }}
      key: {{ include "chandlery.database.key" . }}
{{- end }}

{{- define "chandlery.database.mounts" -}}
{{- with .Values.database.certificateAuthority }}
{{- if or .secret .configMap }}
- name: database-authority
  mountPath: /etc/chandlery/database
  readOnly: true
{{- end }}
{{- end }}
{{- end }}

{{- define "chandlery.database.volumes" -}}
{{- with .Values.database.certificateAuthority }}
{{- if .secret }}
- name: database-authority
  secret: { secretName: {{ .secret }}, items: [{ key: {{ .key }}, path: ca.crt }], defaultMode: 0440 }
{{- else if .configMap }}
- name: database-authority
  configMap: { name: {{ .configMap }}, items: [{ key: {{ .key }}, path: ca.crt }] }
{{- end }}
{{- end }}
{{- end }}

{{/* Brings the database to the version's schema; several at once serialise. */}}
{{- define "chandlery.migrate.container" -}}
name: migrate
{{ include "chandlery.container.image" . }}
args: [migrate]
env:
  {{- include "chandlery.database.env" . | nindent 2 }}
resources:
  {{- toYaml .Values.broker.resources | nindent 2 }}
{{- with include "chandlery.database.mounts" . | trim }}
volumeMounts:
  {{- . | nindent 2 }}
{{- end }}
{{- end }}
