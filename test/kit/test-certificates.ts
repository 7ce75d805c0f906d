// Two certificates with their keys, of no other use, valid for a hundred years: for what must look the same in every run.
import type { SecretContent } from '../../src/control/snapshot/secrets.ts'

type Certificate = Extract<SecretContent, { kind: 'certificate' }>

/** For shop.example and *.shop.example. */
export const shopCertificate: Certificate = {
  kind: 'certificate',
  certificateChainPem: `-----BEGIN CERTIFICATE-----
MIIBrzCCAVSgAwIBAgIUI1URP7ZN2yVq23P0yh44/mkzz/4wCgYIKoZIzj0EAwIw
FzEVMBMGA1UEAwwMc2hvcC5leGFtcGxlMCAXDTI2MTEyNzA5MDczNloYDzIxMjYx
MTAzMDkwNzM2WjAXMRUwEwYDVQQDDAxzaG9wLmV4YW1wbGUwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAARPRA1GhTWN7M/H+uwpG8Zk8qHSm522OzULbqmyaQm0oKSY
xEEPx/RPD6KG4jWyGThjHKtwqxOvF8Qafu8DwP3vo3wwejAdBgNVHQ4EFgQUsI2F
QVdffnYbIfFJ8kIra3WHveEwHwYDVR0jBBgwFoAUsI2FQVdffnYbIfFJ8kIra3WH
veEwDwYDVR0TAQH/BAUwAwEB/zAnBgNVHREEIDAeggxzaG9wLmV4YW1wbGWCDiou
c2hvcC5leGFtcGxlMAoGCCqGSM49BAMCA0kAMEYCIQDGttpHNwo/1GfvTtREsEzS
+dly487P95hdbtZYv3+aQgIhAJEgQ5UJHYL6hAOZVvtu0eL1n0nGn6Pc4H1Hrfg0
Zf/0
-----END CERTIFICATE-----
`,
  privateKeyPem: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgtgr8uPX3mWBwe4Vl
bP21oszG/9yfMo3cnmYvA7AuvxehRANCAARPRA1GhTWN7M/H+uwpG8Zk8qHSm522
OzULbqmyaQm0oKSYxEEPx/RPD6KG4jWyGThjHKtwqxOvF8Qafu8DwP3v
-----END PRIVATE KEY-----
`,
}

/** For pay.example and *.pay.example. */
export const payCertificate: Certificate = {
  kind: 'certificate',
  certificateChainPem: `-----BEGIN CERTIFICATE-----
MIIBqzCCAVCgAwIBAgIUUMFwwOQ6FR8pdbEtrVx8c0DY5eAwCgYIKoZIzj0EAwIw
FjEUMBIGA1UEAwwLcGF5LmV4YW1wbGUwIBcNMjYxMTI3MDkwNzM2WhgPMjEyNjEx
MDMwOTA3MzZaMBYxFDASBgNVBAMMC3BheS5leGFtcGxlMFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAE7vN/GwnsZZHuw8hDMranjWcEdEGhyf3j8lOjVMFQghVulLQD
OHy1bTE9Uh3KiTk3Wj4wZ1dlUwvEAGdzUX2ElqN6MHgwHQYDVR0OBBYEFEyZIb4y
/sZ2WFS0dAPAAv734R8kMB8GA1UdIwQYMBaAFEyZIb4y/sZ2WFS0dAPAAv734R8k
MA8GA1UdEwEB/wQFMAMBAf8wJQYDVR0RBB4wHIILcGF5LmV4YW1wbGWCDSoucGF5
LmV4YW1wbGUwCgYIKoZIzj0EAwIDSQAwRgIhALdT4gPYsy/c0g+K7u4BO+uow4G6
N1FGkeSdIS7RGiP+AiEA1AJco3QvVWC6EuYbUayO6qPZSWitfgT3AkahS/6mMYM=
-----END CERTIFICATE-----
`,
  privateKeyPem: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg2dMR+eAx5NUCNamv
75DKva5dzx3d7bamyPVWzUHWwD6hRANCAATu838bCexlke7DyEMytqeNZwR0QaHJ
/ePyU6NUwVCCFW6UtAM4fLVtMT1SHcqJOTdaPjBnV2VTC8QAZ3NRfYSW
-----END PRIVATE KEY-----
`,
}

export const shopRoots: SecretContent = { kind: 'roots', rootsPem: shopCertificate.certificateChainPem }
