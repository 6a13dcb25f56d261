export { listCredentials, removeCredentials, setCredentials } from './credentials.ts'
export { createKeyring, type Keyring } from './keyring.ts'
export {
  CREDENTIAL_KINDS,
  CREDENTIAL_PROVIDERS,
  type CredentialProvider,
  type Credentials,
  type CredentialsInput,
  credentialsInput,
  credentialsView,
} from './kinds.ts'
