import type { BusinessDirectory, BusinessEntry } from '../domain/businesses/index.ts'
import {
  buildInstructions,
  connectingText,
  DEFAULT_RECEPTIONIST,
  intakeScript,
  notInServiceText,
  openingWords,
  type ProfileCache,
  type ReceptionistSettings,
  voicemailPrompt,
  whisperText,
} from '../domain/receptionist/index.ts'
import { errorMessage } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import { networkPhone } from '../lib/phone.ts'
import type { IntakeScript, Language } from '../providers/speech/port.ts'
import type { Engines, PhraseName, Reception } from './media-session-ports.ts'

export type PromptName = 'voicemail' | 'thanks' | 'unclaimed' | 'whisper'

/** How long a caller waits for a sentence to be rendered; then the carrier's own voice says it. */
const SOUND_WITHIN_MS = 1_000

/** Sentences as audio. `peek` reads the memory only. */
export type Prompts = {
  render(text: string, language: Language): Promise<Uint8Array>
  peek(text: string, language: Language): Uint8Array | undefined
}

/** What each business says, as audio. */
export type Receptionist = {
  /**
   * How a business answers one of its lines; null for an unknown business.
   * @param called the number as the carrier gave it
   */
  receptionOf(businessId: string, called: string): Reception | null
  /** How a business would answer with these settings; null for an unknown business. */
  receptionOfTest(businessId: string, settings: ReceptionistSettings, language: Language): Reception | null
  /** A sentence that the carrier plays. @param key a business id; any other key gives the installation's own sentence */
  prompt(key: string, language: Language, name: PromptName): Promise<Uint8Array>
  /** The text of such a sentence when it cannot be rendered in time; null when its audio is there. */
  textWithoutSound(key: string, language: Language, name: PromptName): Promise<string | null>
  /** Renders every business's sentences, so that the first caller does not wait; failures are logged. */
  warm(): Promise<void>
}

export type ReceptionistDeps = {
  directory: BusinessDirectory
  prompts: Prompts
  /** Used where the business is unknown. */
  defaults: { name: string; language: Language }
  log: Logger
  /** The settings of each business; the defaults for all without it. */
  profiles?: Pick<ProfileCache, 'of'>
  /** The engines of a business; null where it uses the installation's. */
  engines?(business: BusinessEntry): Engines | null
}

export function createReceptionist(deps: ReceptionistDeps): Receptionist {
  const { directory, prompts, defaults, log } = deps
  const textOf = (key: string, language: Language, name: PromptName) => {
    const business = directory.business(key)
    const voicemail = business ? settingsOf(deps, business).voicemail[language] : undefined
    return promptText(name, { language, businessName: (business ?? defaults).name, voicemail })
  }
  const prompt = (key: string, language: Language, name: PromptName) =>
    prompts.render(textOf(key, language, name), language)

  return {
    receptionOf(businessId, called) {
      const line = directory.lookup(networkPhone(called))
      const business =
        line.found === 'business' && line.business.id === businessId ? line.business : directory.business(businessId)
      return business ? createReception(deps, business, settingsOf(deps, business)) : null
    },
    receptionOfTest(businessId, settings, language) {
      const business = directory.business(businessId)
      if (!business) return null
      const greeting = language === business.language ? business.greeting : null
      return createReception(deps, { ...business, language, greeting }, settings)
    },
    prompt,
    async textWithoutSound(key, language, name) {
      const text = textOf(key, language, name)
      const late = Promise.withResolvers<string>()
      const timer = setTimeout(() => late.resolve(text), SOUND_WITHIN_MS)
      const rendered = prompts.render(text, language).then(
        () => null,
        (error: unknown) => {
          log.warn({ name, error: errorMessage(error) }, 'prompt not rendered')
          return text
        },
      )
      try {
        return await Promise.race([rendered, late.promise])
      } finally {
        clearTimeout(timer)
      }
    },
    async warm() {
      for (const name of ['voicemail', 'thanks', 'unclaimed'] as const) await prompt('default', defaults.language, name)
      for (const business of directory.lines()) {
        try {
          const script = scriptOf(business, settingsOf(deps, business))
          for (const text of textsOf(script)) await prompts.render(text, script.language)
          for (const name of ['voicemail', 'thanks', 'whisper'] as const)
            await prompt(business.id, business.language, name)
        } catch (error) {
          log.warn({ businessId: business.id, error: errorMessage(error) }, 'prompts of a business not rendered')
        }
      }
    },
  }
}

function createReception(deps: ReceptionistDeps, business: BusinessEntry, settings: ReceptionistSettings): Reception {
  const { prompts } = deps
  const script = scriptOf(business, settings)
  const engines = deps.engines?.(business)
  return {
    ...(engines ? { engines } : {}),
    script,
    greeting: prompts.peek(script.greeting, script.language),
    renderGreeting: () => prompts.render(script.greeting, script.language),
    phrase: (name) => prompts.peek(phraseText(name, script), script.language),
    renderPhrase: (name) => prompts.render(phraseText(name, script), script.language),
    instructions: buildInstructions({
      businessName: business.name,
      language: business.language,
      timeZone: business.timezone,
      settings,
      now: new Date(),
    }),
    voice: settings.voice,
  }
}

function settingsOf({ profiles }: ReceptionistDeps, business: BusinessEntry): ReceptionistSettings {
  return profiles?.of(business.id) ?? DEFAULT_RECEPTIONIST
}

function scriptOf(business: BusinessEntry, settings: ReceptionistSettings): IntakeScript {
  return intakeScript({
    language: business.language,
    businessName: business.name,
    ...openingWords(settings, business.language, business.greeting),
  })
}

function promptText(
  name: PromptName,
  options: { language: Language; businessName: string; voicemail?: string | undefined },
): string {
  switch (name) {
    case 'voicemail':
      return voicemailPrompt(options)
    case 'thanks': {
      const script = intakeScript(options)
      return `${script.thanks} ${script.goodbye}`
    }
    case 'whisper':
      return whisperText(options)
    case 'unclaimed':
      return notInServiceText(options.language)
  }
}

/** Every sentence of a call, the greeting first. */
function textsOf(script: IntakeScript): string[] {
  return [
    script.greeting,
    ...script.questions.map((question) => question.prompt),
    script.reprompt,
    script.thanks,
    script.goodbye,
    script.oneMoment,
    connectingText(script.language),
  ]
}

function phraseText(name: PhraseName, script: IntakeScript): string {
  return name === 'connecting' ? connectingText(script.language) : script[name]
}
