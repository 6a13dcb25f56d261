import type { LinkView } from '../domain/whatsapp/index.ts'
import { AppError } from '../lib/errors.ts'

const TIMEOUT_MS = 10_000

/** The remote control of the sandbox's WhatsApp, beside its socket. */
export function controlOf(websocketUrl: string): string {
  return `http://${new URL(websocketUrl).host}/_control`
}

/** The phone of `phone` scans a QR code: in the sandbox nobody else could. */
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

/** The sandbox's first account links itself, once: it came with its number, which no other has before it was linked. */
export function scanFirstAccount(control: string) {
  return async (account: LinkView, qr: string): Promise<void> => {
    if (account.phone && account.lid === null) await scanInSandbox(control, qr, account.phone)
  }
}

/** PEM of the certificate that the sandbox's media host shows. */
export async function readSandboxCertificate(control: string): Promise<string> {
  const response = await fetch(`${control}/certificate`, { signal: AbortSignal.timeout(TIMEOUT_MS) })
  if (!response.ok)
    throw new AppError('unavailable', 'no_certificate', `The sandbox's WhatsApp answered ${response.status}.`)
  return response.text()
}
