import { z } from 'zod'
import { CREDENTIAL_PROVIDERS } from '../../../db/schema/index.ts'

export { CREDENTIAL_PROVIDERS }
export type CredentialProvider = (typeof CREDENTIAL_PROVIDERS)[number]

/** A key as vendors write them: no white space, which is only ever a slip of the clipboard. */
const key = z
  .string()
  .trim()
  .regex(/^[\x21-\x7e]{1,512}$/, 'printable characters without spaces')

export const CREDENTIAL_KINDS = {
  twilio: z.strictObject({
    accountSid: z
      .string()
      .trim()
      .regex(/^AC[0-9a-f]{32}$/i, 'AC followed by 32 hex digits'),
    authToken: key,
    /** Default WhatsApp sender, `whatsapp:+…`. */
    whatsappFrom: z
      .string()
      .trim()
      .regex(/^whatsapp:\+\d{6,15}$/, 'whatsapp:+ followed by the number')
      .optional(),
  }),
  openai: z.strictObject({
    apiKey: key,
    /** The realtime model; the installation's when absent. */
    model: key.optional(),
  }),
  anthropic: z.strictObject({ apiKey: key }),
  google: z.strictObject({ apiKey: key }),
  /** A server that speaks OpenAI's chat API, such as vLLM or LiteLLM. */
  compatible: z.strictObject({
    baseUrl: z
      .string()
      .trim()
      .max(500)
      .pipe(z.url({ protocol: /^https?$/, error: 'an http(s) URL, such as https://models.example.com/v1' }))
      .transform((url) => url.replace(/\/+$/, '')),
    apiKey: key.optional(),
  }),
  paypal: z.strictObject({ clientId: key, clientSecret: key, webhookId: key }),
  tranzila: z.strictObject({
    terminal: z
      .string()
      .trim()
      .regex(/^[A-Za-z0-9_-]{1,64}$/, 'the terminal’s name'),
    appKey: key,
    secret: key,
  }),
} as const satisfies Record<CredentialProvider, z.ZodType>

export type Credentials<P extends CredentialProvider> = z.output<(typeof CREDENTIAL_KINDS)[P]>

const ofProvider = z.discriminatedUnion('provider', [
  z.object({ provider: z.literal('twilio'), keys: CREDENTIAL_KINDS.twilio }),
  z.object({ provider: z.literal('openai'), keys: CREDENTIAL_KINDS.openai }),
  z.object({ provider: z.literal('anthropic'), keys: CREDENTIAL_KINDS.anthropic }),
  z.object({ provider: z.literal('google'), keys: CREDENTIAL_KINDS.google }),
  z.object({ provider: z.literal('compatible'), keys: CREDENTIAL_KINDS.compatible }),
  z.object({ provider: z.literal('paypal'), keys: CREDENTIAL_KINDS.paypal }),
  z.object({ provider: z.literal('tranzila'), keys: CREDENTIAL_KINDS.tranzila }),
])
export type CredentialsInput = z.output<typeof ofProvider>

export const credentialsInput = z
  .object({ provider: z.enum(CREDENTIAL_PROVIDERS), keys: z.record(z.string().max(32), z.string().max(1_024)) })
  .transform((given, check): CredentialsInput => {
    const parsed = ofProvider.safeParse(given)
    if (parsed.success) return parsed.data
    // Without what was given: it may be a secret.
    for (const { path, message } of parsed.error.issues)
      check.issues.push({ code: 'custom', path: [...path], message, input: undefined })
    return z.NEVER
  })

export const credentialsView = z.object({
  provider: z.enum(CREDENTIAL_PROVIDERS),
  hint: z.string(),
  createdAt: z.date(),
  updatedAt: z.date(),
})

export function hintOf(input: CredentialsInput): string {
  const last = (text: string) => (text.length >= 12 ? `…${text.slice(-4)}` : '…')
  switch (input.provider) {
    case 'twilio':
      return last(input.keys.accountSid)
    case 'openai':
    case 'anthropic':
    case 'google':
      return last(input.keys.apiKey)
    case 'compatible':
      return new URL(input.keys.baseUrl).host
    case 'paypal':
      return last(input.keys.clientId)
    case 'tranzila':
      return input.keys.terminal
  }
}
