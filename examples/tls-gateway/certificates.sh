#!/bin/sh
# Makes certificates.yaml anew: self-signed certificates for shop.example.com and blog.example.com, for trying only.
set -eu
cd "$(dirname "$0")"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
: >certificates.yaml
for name in shop blog; do
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj "/CN=$name.example.com" \
    -addext "subjectAltName=DNS:$name.example.com" -keyout "$folder/key" -out "$folder/certificate" 2>/dev/null
  {
    echo '---'
    echo 'apiVersion: v1'
    echo 'kind: Secret'
    echo "metadata: { name: $name-certificate, namespace: default }"
    echo 'type: kubernetes.io/tls'
    echo 'stringData:'
    echo '  tls.crt: |'
    sed 's/^/    /' "$folder/certificate"
    echo '  tls.key: |'
    sed 's/^/    /' "$folder/key"
  } >>certificates.yaml
done
sed -i 1d certificates.yaml
