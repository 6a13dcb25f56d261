import { AppError } from '../lib/errors.ts'
import type { PasswordAnswer, PasswordQuestion } from './password-worker.ts'

export const PASSWORD_MIN = 10
export const PASSWORD_MAX = 128
/** zxcvbn's score: at least 10^8 guesses by an attacker who knows common passwords and the person's address. */
const MIN_SCORE = 3
/** Only the beginning of a longer password is estimated: the cost grows faster than the length. */
const ESTIMATED_LENGTH = 64
const CHECK_MS = 10_000

/** Argon2id, in a thread of its own: live calls are not delayed. */
export function hashPassword(password: string): Promise<string> {
  return Bun.password.hash(password, 'argon2id')
}

export async function verifyPassword(hash: string, password: string): Promise<boolean> {
  try {
    return await Bun.password.verify(password, hash)
  } catch {
    // The stored text is not a hash: nothing matches it.
    return false
  }
}

/**
 * Refuses a short or common password, or one derived from `about` (address, name), in a thread of its own. @throws AppError
 * `password_too_short`, `password_too_long`, `password_too_common`
 */
export async function checkNewPassword(password: string, about: string[]): Promise<void> {
  const refuse = (code: string, message: string) => new AppError('invalid', code, message, { field: 'password' })
  if ([...password].length < PASSWORD_MIN)
    throw refuse('password_too_short', `The password is too short. Use at least ${PASSWORD_MIN} characters.`)
  if (password.length > PASSWORD_MAX)
    throw refuse('password_too_long', `The password is too long. Use at most ${PASSWORD_MAX} characters.`)
  const parts = about.flatMap((text) => [text, ...text.split(/[^\p{L}\p{N}]+/u)]).filter((part) => part.length > 2)
  const score = await estimate({ password: password.slice(0, ESTIMATED_LENGTH), about: [...parts, 'agentlocator'] })
  if (score < MIN_SCORE)
    throw refuse(
      'password_too_common',
      'The password is easy to guess. Choose several unrelated words, or use a password manager.',
    )
}

async function estimate(question: PasswordQuestion): Promise<number> {
  const worker = new Worker(new URL('./password-worker.ts', import.meta.url))
  const answer = Promise.withResolvers<PasswordAnswer>()
  // The error of the worker could quote the password.
  const fail = () =>
    answer.reject(new AppError('unavailable', 'password_not_judged', 'The password could not be checked. Try again.'))
  const timer = setTimeout(fail, CHECK_MS)
  try {
    worker.onmessage = ({ data }: MessageEvent<PasswordAnswer>) => answer.resolve(data)
    worker.onerror = fail
    worker.postMessage(question)
    return (await answer.promise).score
  } finally {
    clearTimeout(timer)
    worker.terminate()
  }
}
