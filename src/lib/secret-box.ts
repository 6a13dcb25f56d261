import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { AppError } from './errors.ts'

const VERSION = 'v1.'
const IV_BYTES = 12
const TAG_BYTES = 16
const KEY_BYTES = 32

export type SecretBox = {
  /** Encrypts. `context` names the place of the secret; in another place the text does not decrypt. */
  seal(plain: string, context: string): string
  /** @throws AppError `secret_unreadable` when the key is wrong, or the text was changed or moved */
  open(sealed: string, context: string): string
}

/** AES-256-GCM with a random nonce: `v1.` + base64url(nonce ‖ tag ‖ ciphertext). @param key 32 bytes */
export function createSecretBox(key: Uint8Array): SecretBox {
  if (key.length !== KEY_BYTES)
    throw new AppError(
      'invalid',
      'bad_secret_key',
      `The encryption key has ${key.length} bytes. It must have ${KEY_BYTES}.`,
    )
  return {
    seal(plain, context) {
      const iv = randomBytes(IV_BYTES)
      const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(context))
      const body = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()])
      return VERSION + Buffer.concat([iv, cipher.getAuthTag(), body]).toString('base64url')
    },
    open(sealed, context) {
      if (!sealed.startsWith(VERSION)) throw unreadable('this product did not encrypt it')
      const bytes = Buffer.from(sealed.slice(VERSION.length), 'base64url')
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES))
        decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES))
        return decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES), undefined, 'utf8') + decipher.final('utf8')
      } catch (cause) {
        throw unreadable('the key is wrong, or the text was changed', cause)
      }
    },
  }
}

/** Derives a key for one purpose (HKDF-SHA256, RFC 5869). */
export function deriveKey(secret: string, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, 'agentlocator', purpose, KEY_BYTES))
}

function unreadable(why: string, cause?: unknown): AppError {
  return new AppError(
    'internal',
    'secret_unreadable',
    `A stored secret cannot be decrypted: ${why}. Restore SESSION_SECRET, or set the secret again.`,
    { cause },
  )
}
