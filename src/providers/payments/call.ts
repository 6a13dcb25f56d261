import { AppError } from '../../lib/errors.ts'

const TIMEOUT_MS = 10_000

/**
 * One request to a provider.
 * @returns any answer below 500, with its JSON (null for none)
 * @throws AppError `unavailable` when it was not reached, failed, or asked for patience (429, 5xx): its effect is unknown
 */
export async function callProvider(
  provider: string,
  url: string,
  init: { method: string; headers: Record<string, string>; body?: string },
): Promise<{ status: number; json: unknown }> {
  let status: number
  let text: string
  try {
    const response = await fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) })
    status = response.status
    text = await response.text()
  } catch (cause) {
    throw new AppError('unavailable', 'payment_provider_unreachable', `${provider} could not be reached.`, { cause })
  }
  if (status >= 500 || status === 429)
    throw new AppError('unavailable', 'payment_provider_unavailable', `${provider} answered ${status}.`)
  try {
    return { status, json: text === '' ? null : JSON.parse(text) }
  } catch (cause) {
    throw new AppError('unavailable', 'payment_provider_unreadable', `${provider} did not answer with JSON.`, { cause })
  }
}

/** An answer that does not fit its schema. */
export function unexpectedAnswer(provider: string, what: string, status: number, cause?: unknown): AppError {
  return new AppError('unavailable', 'payment_provider_unexpected', `${provider} answered ${status} to ${what}.`, {
    cause,
  })
}
