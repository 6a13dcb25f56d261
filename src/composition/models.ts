import type { Database } from '../../db/client.ts'
import type { Config } from '../config.ts'
import type { Keyring } from '../domain/credentials/index.ts'
import { createModelLedger, getModelSettings, modelChoiceOf } from '../domain/models/index.ts'
import { AppError } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import { MODEL_PROVIDERS, type ModelProvider, type ModelRef, modelNameOf, modelRefOf } from '../lib/model-name.ts'
import { costOf } from '../lib/model-prices.ts'
import { createSafeFetch } from '../lib/safe-fetch.ts'
import { checkModel } from '../providers/models/check.ts'
import { type ConnectionSettings, createModelConnection, type ModelConnection } from '../providers/models/connection.ts'
import type { ModelCharge, TextModels, VoiceNoteTranscriber } from '../providers/models/port.ts'
import { createSafeTransport } from '../providers/models/safe-transport.ts'
import { createTextModels } from '../providers/models/text-models.ts'
import { createVoiceNoteTranscriber, type PostAudio } from '../providers/models/voice-notes.ts'
import { postTranscription, restBaseOf } from '../providers/speech/openai-realtime/transcriber.ts'
import { perBusiness } from './per-business.ts'

const VOICE_NOTE_MODEL = 'gpt-transcribe'
const DEFAULT_MODEL: ModelRef = { provider: 'openai', name: 'gpt-5-mini' }
const CHECK_MS = 60_000

export type KeyState = 'own' | 'installation' | 'none' | 'unreadable'

export type ModelAdmin = {
  /** The models that a business's requests are sent to, in order, the installation's, and whose keys there are. */
  overview(businessId: string): Promise<{
    inUse: string[]
    installation: { model: string | null; fallback: string | null }
    keys: Record<ModelProvider, KeyState>
  }>
  /** Asks a model one short question, on the business's budget. @throws AppError `model_not_set`, `model_check_failed` */
  check(businessId: string, model: string): Promise<{ ms: number; costMicros: number | null }>
  /** Asks the model that a business uses with its own key, if it does. @throws AppError `model_check_failed` */
  checkOwn(businessId: string, provider: ModelProvider): Promise<void>
}

/** The text models, by the installation's settings and the businesses' own keys, settings and budgets. */
export function createModels(
  config: Config,
  keyring: Keyring,
  db: Database,
  log: Logger,
): { models: TextModels; voiceNotes: VoiceNoteTranscriber; modelAdmin: ModelAdmin } {
  const { connectionOf, candidatesOf } = createConnections(config, keyring)
  const ledger = createModelLedger(db, log)
  const settingsOf = (businessId: string) => getModelSettings({ db, businessId })
  const choiceOf = async (businessId: string) => {
    const settings = await settingsOf(businessId)
    return { candidates: candidatesOf(businessId, modelChoiceOf(settings)), prices: settings.prices }
  }
  const check: ModelAdmin['check'] = async (businessId, model) => {
    const { provider, name } = modelRefOf(model)
    const candidate = connectionOf(businessId, provider)?.candidate(name)
    if (!candidate)
      throw new AppError('not_implemented', 'model_not_set', `There is no key for ${provider}. Set one first.`)
    const { prices } = await settingsOf(businessId)
    const estimate = { model, inputTokens: 20, cachedTokens: 0, outputTokens: 200, estimated: true }
    const reservation = await ledger.reserve({
      ...{ businessId, purpose: 'chat', subject: null, lastsMs: CHECK_MS },
      estimate: { ...estimate, costMicros: costOf(estimate, prices) },
    })
    const charges: ModelCharge[] = []
    const startedAt = Date.now()
    try {
      await checkModel(candidate, (use) => charges.push({ ...use, costMicros: costOf(use, prices) }))
    } finally {
      await reservation.settle(charges)
    }
    await ledger.report(businessId, candidate.name, null)
    return { ms: Date.now() - startedAt, costMicros: charges.at(-1)?.costMicros ?? null }
  }
  return {
    models: createTextModels({ choiceOf, ledger, log }),
    voiceNotes: createVoiceNoteTranscriber({
      serviceOf: voiceServices(config, keyring).of,
      pricesOf: async (businessId) => (await settingsOf(businessId)).prices,
      ledger,
    }),
    modelAdmin: {
      check,
      async overview(businessId) {
        const { candidates } = await choiceOf(businessId)
        const stateOf = (provider: ModelProvider): KeyState => {
          const { kind } = keyring.held(businessId, provider)
          return kind === 'none' ? (connectionOf(businessId, provider) ? 'installation' : 'none') : kind
        }
        const { text, fallback } = config.models
        return {
          inUse: candidates.map(({ name }) => name),
          installation: { model: text && modelNameOf(text), fallback: fallback && modelNameOf(fallback) },
          keys: Object.fromEntries(MODEL_PROVIDERS.map((each) => [each, stateOf(each)])) as Record<
            ModelProvider,
            KeyState
          >,
        }
      },
      async checkOwn(businessId, provider) {
        const { candidates } = await choiceOf(businessId)
        const own = candidates.find(({ name }) => name.startsWith(`${provider}:`))
        if (own) await check(businessId, own.name)
      },
    },
  }
}

/** The connections of the installation's settings and of the businesses' own keys. */
function createConnections({ endpoints, speech, models, ...config }: Config, keyring: Keyring) {
  const openAiUrl = restBaseOf(endpoints.openai.url)
  const connect = (settings: ConnectionSettings) => createModelConnection(settings)
  const openAi = ({ apiKey }: { apiKey: string }) => connect({ provider: 'openai', apiKey, baseUrl: openAiUrl })
  const anthropic = ({ apiKey }: { apiKey: string }) => connect({ provider: 'anthropic', apiKey, baseUrl: null })
  const google = ({ apiKey }: { apiKey: string }) => connect({ provider: 'google', apiKey, baseUrl: null })
  const transport = createSafeTransport(
    createSafeFetch({ allowPrivate: config.webhooksAllowPrivate, ownPorts: [config.port] }),
  )
  const { compatible } = models
  const byProvider = {
    openai: perBusiness(keyring, 'openai', speech.openai.kind === 'configured' ? openAi(speech.openai) : null, openAi),
    anthropic: perBusiness(
      keyring,
      'anthropic',
      models.anthropicKey ? anthropic({ apiKey: models.anthropicKey }) : null,
      anthropic,
    ),
    google: perBusiness(keyring, 'google', models.googleKey ? google({ apiKey: models.googleKey }) : null, google),
    compatible: perBusiness(
      keyring,
      'compatible',
      compatible && connect({ provider: 'compatible', ...compatible }),
      // A business may name any address: what is not public is not reached.
      ({ apiKey, baseUrl }) => connect({ provider: 'compatible', apiKey: apiKey ?? null, baseUrl, fetch: transport }),
    ),
  }
  const connectionOf = (businessId: string, provider: ModelProvider): ModelConnection | null =>
    byProvider[provider].of(businessId)
  return {
    connectionOf,
    /** Those that have a key, in their order. */
    candidatesOf(businessId: string, own: { model: ModelRef | null; fallback: ModelRef | null }) {
      const first = own.model ?? models.text ?? (connectionOf(businessId, 'openai') ? DEFAULT_MODEL : null)
      const names = new Set<string>()
      return [first, own.fallback ?? models.fallback].flatMap((ref) => {
        const candidate = ref && connectionOf(businessId, ref.provider)?.candidate(ref.name)
        if (!candidate || names.has(candidate.name)) return []
        names.add(candidate.name)
        return [candidate]
      })
    },
  }
}

/** What transcribes voice notes: OpenAI, with the key of the business or of the installation. */
function voiceServices({ endpoints, speech }: Config, keyring: Keyring) {
  const baseUrl = restBaseOf(endpoints.openai.url)
  const serviceOf = ({ apiKey }: { apiKey: string }) => {
    const post: PostAudio = async ({ audio, mediaType, signal }) => {
      const answer = await postTranscription(
        { baseUrl, apiKey, model: VOICE_NOTE_MODEL },
        { audio, contentType: mediaType, signal },
      )
      const { text, language, duration, usage } = answer
      const seconds = duration ?? (usage?.type === 'duration' ? usage.seconds : null)
      const tokens = usage?.type === 'tokens' ? usage : null
      return {
        text: text.trim(),
        language: language ?? null,
        seconds,
        usage: tokens && { inputTokens: tokens.input_tokens, outputTokens: tokens.output_tokens },
      }
    }
    return { model: `openai:${VOICE_NOTE_MODEL}`, post }
  }
  const installation = speech.openai.kind === 'configured' ? serviceOf(speech.openai) : null
  return perBusiness(keyring, 'openai', installation, serviceOf)
}
