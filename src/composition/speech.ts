import { join } from 'node:path'
import type { Config, OpenAiEndpoint } from '../config.ts'
import type { Keyring } from '../domain/credentials/index.ts'
import type { Logger } from '../lib/log.ts'
import { createEmbeddedEngine } from '../providers/speech/embedded/engine.ts'
import { createEspeakSynthesizer } from '../providers/speech/espeak/synthesizer.ts'
import { createRealtimeEngine } from '../providers/speech/openai-realtime/engine.ts'
import type { SpeechEngine, SpeechSynthesizer } from '../providers/speech/port.ts'
import { createPromptCache, type PromptCache } from '../providers/speech/prompts.ts'
import { perBusiness } from './per-business.ts'

export type Speech = {
  engine: SpeechEngine
  standby: SpeechEngine | null
  /** Those of a business, by its setting and its keys; null where they are the installation's. */
  enginesOf(
    businessId: string,
    setting: 'default' | 'openai-realtime' | 'embedded',
  ): { engine: SpeechEngine; standby: SpeechEngine | null } | null
  prompts: PromptCache
  /** The voice of the prompts in a thread of its own: what a member listens to holds up no caller. Nothing is stored. */
  preview: Pick<SpeechSynthesizer, 'synthesize'>
  close(): Promise<void>
}

/** Opens the speech engines with their threads and connections. */
export function createSpeech(config: Config, keyring: Keyring, log: Logger): Speech {
  const synthesizer = createEspeakSynthesizer()
  const preview = createEspeakSynthesizer()
  const prompts = createPromptCache({ dir: join(config.dataDir, 'prompts'), synthesizer, log })
  const embedded = createEmbeddedEngine({ prompts })
  const remote = createRemoteEngines(config, keyring)
  return {
    engine: remote.chosen ?? embedded,
    standby: remote.chosen ? embedded : null,
    enginesOf(businessId, setting) {
      const { kind } = keyring.held(businessId, 'openai')
      if (kind === 'none' && setting === 'default') return null
      const engine = setting === 'embedded' ? null : kind === 'none' ? remote.installation() : remote.ownOf(businessId)
      return engine ? { engine, standby: embedded } : { engine: embedded, standby: null }
    },
    prompts,
    preview,
    async close() {
      await remote.close()
      await embedded.close()
      await synthesizer.close()
      await preview.close()
    },
  }
}

function createRemoteEngines({ speech, endpoints }: Config, keyring: Keyring) {
  const openai = speech.openai.kind === 'configured' ? speech.openai : null
  const opened: SpeechEngine[] = []
  const open = (options: OpenAiEndpoint & { apiKey: string }) => {
    const engine = createRealtimeEngine({ ...options, settings: { turnDetection: options.turnDetection } })
    opened.push(engine)
    return engine
  }
  const chosen = speech.engine === 'openai-realtime' && openai ? open(openai) : null
  // The installation has a key, but its own calls use the embedded engine.
  let onDemand: SpeechEngine | null = null
  const own = perBusiness(keyring, 'openai', null, ({ apiKey, model }) =>
    // Keys may be replaced: no connection with old ones stays open for a next call.
    open({ ...endpoints.openai, apiKey, model: model ?? endpoints.openai.model, warmConnection: false }),
  )
  return {
    chosen,
    installation(): SpeechEngine | null {
      if (!chosen && openai) onDemand ??= open({ ...openai, warmConnection: false })
      return chosen ?? onDemand
    },
    ownOf: own.ownOf,
    async close() {
      for (const engine of opened) await engine.close()
    },
  }
}
