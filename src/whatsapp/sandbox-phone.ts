import type { LinkView } from '../domain/whatsapp/index.ts'
import { AppError } from '../lib/errors.ts'

const TIMEOUT_MS = 10_000

export function controlOf(websocketUrl: string): string {
  return `http://${new URL(websocketUrl).host}/_control`
}

/** Makes the sandbox's phone with this number scan a QR code. */
export async function scanInSandbox(control: string, qr: string, phone: string): Promise<void> {
  const response = await fetch(`${control}/scan`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ qr, phone }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  if (!response.ok)
    throw new AppError('unavailable', 'not_scanned', `The sandbox's phone did not scan: ${await response.text()}`)
}

/** Links the sandbox's first account, once. Only that account has a number before it is linked. */
export function scanFirstAccount(control: string) {
  return async (account: LinkView, qr: string): Promise<void> => {
    if (account.phone && account.lid === null) await scanInSandbox(control, qr, account.phone)
  }
}

/** PEM of the sandbox media host's certificate. */
export async function readSandboxCertificate(control: string): Promise<string> {
  const response = await fetch(`${control}/certificate`, { signal: AbortSignal.timeout(TIMEOUT_MS) })
  if (!response.ok)
    throw new AppError('unavailable', 'no_certificate', `The sandbox's WhatsApp answered ${response.status}.`)
  return response.text()
}
