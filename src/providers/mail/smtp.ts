import nodemailer from 'nodemailer'
import { AppError } from '../../lib/errors.ts'
import type { Mailer } from './port.ts'

const CONNECT_MS = 10_000
const SILENCE_MS = 30_000

/**
 * Mail over SMTP.
 * @param options.url `smtp://` or `smtps://`, with user and password where needed; these are sent without TLS only to this
 * machine
 * @param options.from the sender, `Name <address>` or an address
 */
export function createSmtpMailer(options: { url: string; from: string; connectMs?: number }): Mailer {
  const { username, hostname } = new URL(options.url)
  const near = /^(localhost|127\..*|\[::1\])$/.test(hostname)
  const transport = nodemailer.createTransport({
    url: options.url,
    connectionTimeout: options.connectMs ?? CONNECT_MS,
    greetingTimeout: options.connectMs ?? CONNECT_MS,
    socketTimeout: SILENCE_MS,
    requireTLS: username !== '' && !near,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  const domain = /@([^\s>]+)>?\s*$/.exec(options.from)?.[1] ?? 'localhost'
  return {
    async send({ id, unsubscribe, ...mail }) {
      try {
        await transport.sendMail({
          ...mail,
          from: options.from,
          messageId: `<${id}@${domain}>`,
          headers: {
            'Auto-Submitted': 'auto-generated',
            ...(unsubscribe
              ? { 'List-Unsubscribe': `<${unsubscribe}>`, 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' }
              : {}),
          },
        })
      } catch (error) {
        throw refusal(error)
      }
    },
    async check() {
      try {
        await transport.verify()
      } catch (error) {
        throw refusal(error)
      }
    },
  }
}

/** The server's answer is not passed on: it may quote the address. */
function refusal(error: unknown): AppError {
  const status = numberOf(error, 'responseCode')
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
  const answered = status === null ? code : `${code}, ${status}`
  // 5xx to the sign-in, or because there was none (530, 535), concerns the settings, not this mail (RFC 5321, RFC 4954).
  const settings = code === 'EAUTH' || status === 530 || status === 535
  if (status !== null && status >= 500 && !settings)
    return new AppError('invalid', 'mail_refused', `The mail server refuses the mail (${answered}).`, { cause: error })
  // The mail was handed over and nothing came back (RFC 5321, section 4.5.4.2): it may be sent.
  const unanswered = status === null && error instanceof Error && Reflect.get(error, 'command') === 'DATA'
  if (unanswered)
    return new AppError('unavailable', 'mail_unknown', `The mail server did not answer (${code}).`, { cause: error })
  return new AppError('unavailable', 'mail_unavailable', `The mail server does not take mail (${answered}).`, {
    cause: error,
  })
}

function numberOf(error: unknown, name: string): number | null {
  const value: unknown = error instanceof Error ? Reflect.get(error, name) : undefined
  return typeof value === 'number' ? value : null
}
