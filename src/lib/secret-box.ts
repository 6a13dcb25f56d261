import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { AppError } from './errors.ts'

const VERSION = 'v1.'
const IV_BYTES = 12
const TAG_BYTES = 16
const KEY_BYTES = 32

/** Seals texts for storage, so that whoever reads the database alone reads nothing. */
export type SecretBox = {
  /** Encrypts. `context` names the place of the secret; a sealed text moved to another place does not open there. */
  seal(plain: string, context: string): string
  /** Decrypts; throws `secret_unreadable` when the key is another one or the text was changed or moved. */
  open(sealed: string, context: string): string
}

/**
 * AES-256-GCM with a random nonce a text, `v1.` + base64url(nonce ‖ tag ‖ ciphertext).
 * @param key 32 bytes
 */
export function createSecretBox(key: Uint8Array): SecretBox {
  if (key.length !== KEY_BYTES)
    throw new AppError(
      'invalid',
      'bad_secret_key',
      `The encryption key has ${key.length} bytes; it needs ${KEY_BYTES}.`,
    )
  return {
    seal(plain, context) {
      const iv = randomBytes(IV_BYTES)
      const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(context))
      const body = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()])
      return VERSION + Buffer.concat([iv, cipher.getAuthTag(), body]).toString('base64url')
    },
    open(sealed, context) {
      if (!sealed.startsWith(VERSION)) throw unreadable('it was not sealed by this product')
      const bytes = Buffer.from(sealed.slice(VERSION.length), 'base64url')
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES))
        decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES))
        return decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES), undefined, 'utf8') + decipher.final('utf8')
      } catch (cause) {
        throw unreadable('the key is another one, or the text was changed', cause)
      }
    },
  }
}

function unreadable(why: string, cause?: unknown): AppError {
  return new AppError('internal', 'secret_unreadable', `A stored secret cannot be opened: ${why}.`, { cause })
}
