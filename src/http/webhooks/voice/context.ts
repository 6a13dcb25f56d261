import { publicSocketUrl, publicUrl, WEBHOOKS } from '../../../access/urls.ts'
import type { BusinessDirectory, BusinessEntry } from '../../../domain/businesses/index.ts'
import type { StreamToken } from '../../../domain/calls/index.ts'
import type { DomainContext } from '../../../domain/context.ts'
import type { Inbox } from '../../../jobs/inbox.ts'
import type { Logger } from '../../../lib/log.ts'
import { networkPhone } from '../../../lib/phone.ts'
import type { Receptionist } from '../../../media/reception.ts'
import { type Carriers, type Signer, speaksFor, type Telephony } from '../../../providers/telephony/port.ts'
import { createSideFieldReader, type SideFieldReader } from './forms.ts'

export type VoiceWebhookDeps = {
  ctx: DomainContext
  log: Logger
  carriers: Carriers
  directory: BusinessDirectory
  inbox: Pick<Inbox, 'accept' | 'acceptEventually'>
  publicBaseUrl: string
  defaultLanguage: 'he' | 'en'
  /** The prompts that the carrier must speak itself, since no audio of them exists. */
  prompts: Pick<Receptionist, 'textWithoutSound'>
  streamSecret: string
  /** Whether this process can serve one more call; reserves a place for it. */
  admitCall(callSid: string): boolean
  expectCall?(call: Omit<StreamToken, 'expiresAt' | 'nonce'>): void
  knownEnd(callSid: string): string | null
  count(event: VoiceEvent): void
}

export type VoiceEvent =
  | 'stream_status_unsigned'
  | 'stream_status_signed'
  | 'call_to_voicemail'
  | 'call_to_agent'
  | 'voice_field_odd'

/** What every voice handler shares: the dependencies, and the TwiML documents with this installation's addresses. */
export type VoiceContext = VoiceWebhookDeps & {
  readSideFields: SideFieldReader
  promptUrl(business: BusinessEntry | null, name: string): string
  promptOf(business: BusinessEntry | null, name: 'voicemail' | 'thanks' | 'unclaimed'): Promise<SpokenPrompt>
  voicemail(carrier: Telephony, business: BusinessEntry | null): Promise<string>
  connect(carrier: Telephony, token: string, called: string): string
  businessOf(id: string | undefined, signer: Signer): BusinessEntry | null
  businessCalled(to: string | null, signer: Signer): BusinessEntry | null
}

export type SpokenPrompt = { promptUrl: string; spoken: { text: string; language: 'he' | 'en' } | null }

/** Twilio repeats a failed recording callback five times. It does not sign the fragment of a URL. */
const RETRY_FIVE_TIMES = '#rc=5&rp=all'

export function createVoiceContext(deps: VoiceWebhookDeps): VoiceContext {
  const { directory, publicBaseUrl } = deps
  const url = (path: string) => publicUrl(publicBaseUrl, path)
  const promptUrl = (business: BusinessEntry | null, name: string) =>
    url(`/prompts/${business?.id ?? 'default'}/${business?.language ?? deps.defaultLanguage}/${name}.wav`)
  const promptOf: VoiceContext['promptOf'] = async (business, name) => {
    const language = business?.language ?? deps.defaultLanguage
    const text = await deps.prompts.textWithoutSound(business?.id ?? 'default', language, name)
    return { promptUrl: promptUrl(business, name), spoken: text === null ? null : { text, language } }
  }
  return {
    ...deps,
    readSideFields: createSideFieldReader(deps),
    promptUrl,
    promptOf,
    async voicemail(carrier, business) {
      const query = business ? `?business=${business.id}&language=${business.language}` : ''
      deps.count('call_to_voicemail')
      return carrier.voicemail({
        ...(await promptOf(business, 'voicemail')),
        actionUrl: url(WEBHOOKS.recordingAction + query),
        recordingStatusUrl: url(WEBHOOKS.recordingStatus + query + RETRY_FIVE_TIMES),
      })
    },
    connect: (carrier, token, called) =>
      carrier.connectStream({
        streamUrl: publicSocketUrl(publicBaseUrl),
        actionUrl: url(WEBHOOKS.streamEnded),
        statusCallbackUrl: url(WEBHOOKS.streamStatus),
        parameters: { token, to: called },
      }),
    businessOf: (id, signer) => (id && speaksFor(signer, id) ? directory.business(id) : null),
    businessCalled(to, signer) {
      const found = directory.lookup(networkPhone(to ?? ''))
      return found.found === 'business' && speaksFor(signer, found.business.id) ? found.business : null
    },
  }
}

export function twiml(document: string): Response {
  return new Response(document, { headers: { 'Content-Type': 'text/xml; charset=utf-8', 'Cache-Control': 'no-store' } })
}
