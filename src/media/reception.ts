import type { BusinessDirectory, BusinessEntry } from '../domain/businesses/index.ts'
import {
  buildInstructions,
  connectingText,
  DEFAULT_RECEPTIONIST,
  intakeScript,
  notInServiceText,
  openingWords,
  type ProfileCache,
  voicemailPrompt,
  whisperText,
} from '../domain/receptionist/index.ts'
import { errorMessage } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import { networkPhone } from '../lib/phone.ts'
import type { IntakeScript, Language } from '../providers/speech/port.ts'
import type { Engines, PhraseName, Reception } from './media-session-ports.ts'

export type PromptName = 'voicemail' | 'thanks' | 'unclaimed' | 'whisper'

/** A caller waits so long for a sentence to be rendered; then the carrier's own voice says it. */
const SOUND_WITHIN_MS = 1_000

/** Rendered sentences: from memory at once, else rendered. */
export type Prompts = {
  render(text: string, language: Language): Promise<Uint8Array>
  peek(text: string, language: Language): Uint8Array | undefined
}

/** What each business says, as sound. */
export type Receptionist = {
  /**
   * How a business answers one of its lines; null for a business that is not known.
   * @param called the number as the carrier gave it
   */
  receptionOf(businessId: string, called: string): Reception | null
  /** A sentence the carrier plays. @param key a business id, or anything else for the installation's own words */
  prompt(key: string, language: Language, name: PromptName): Promise<Uint8Array>
  /** The text of such a sentence when it cannot be rendered in time; null when its sound is at hand. */
  textWithoutSound(key: string, language: Language, name: PromptName): Promise<string | null>
  /** Renders what every business says, so that the first caller does not wait; businesses that fail are logged. */
  warm(): Promise<void>
}

export function createReceptionist(deps: {
  directory: BusinessDirectory
  prompts: Prompts
  /** Spoken for where no business is known. */
  defaults: { name: string; language: Language }
  log: Logger
  /** How each business wants its receptionist; the defaults for all without it. */
  profiles?: Pick<ProfileCache, 'of'>
  /** What talks for a business; null where that is what talks for all. */
  engines?(business: BusinessEntry): Engines | null
}): Receptionist {
  const { directory, prompts, defaults, log } = deps
  const profileOf = (business: BusinessEntry) => deps.profiles?.of(business.id) ?? DEFAULT_RECEPTIONIST
  const scriptOf = (business: BusinessEntry): IntakeScript =>
    intakeScript({
      language: business.language,
      businessName: business.name,
      ...openingWords(profileOf(business), business.language, business.greeting),
    })

  function textOf(key: string, language: Language, name: PromptName): string {
    const businessName = (directory.business(key) ?? defaults).name
    switch (name) {
      case 'voicemail':
        return voicemailPrompt({ language, businessName })
      case 'thanks': {
        const script = intakeScript({ language, businessName })
        return `${script.thanks} ${script.goodbye}`
      }
      case 'whisper':
        return whisperText({ language, businessName })
      case 'unclaimed':
        return notInServiceText(language)
    }
  }
  const prompt = (key: string, language: Language, name: PromptName) =>
    prompts.render(textOf(key, language, name), language)

  return {
    receptionOf(businessId, called) {
      const line = directory.lookup(networkPhone(called))
      const business =
        line.found === 'business' && line.business.id === businessId ? line.business : directory.business(businessId)
      if (!business) return null
      const script = scriptOf(business)
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
          settings: profileOf(business),
          now: new Date(),
        }),
        voice: profileOf(business).voice,
      }
    },
    prompt,
    async textWithoutSound(key, language, name) {
      const text = textOf(key, language, name)
      const late = Promise.withResolvers<string>()
      const timer = setTimeout(() => late.resolve(text), SOUND_WITHIN_MS)
      const rendered = prompts.render(text, language).then(
        () => null,
        (error: unknown) => {
          log.warn({ name, error: errorMessage(error) }, 'a prompt could not be rendered')
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
          const script = scriptOf(business)
          const texts = [
            script.greeting,
            ...script.questions.map((question) => question.prompt),
            script.reprompt,
            script.thanks,
            script.goodbye,
            script.oneMoment,
            connectingText(script.language),
          ]
          for (const text of texts) await prompts.render(text, script.language)
          for (const name of ['voicemail', 'thanks', 'whisper'] as const)
            await prompt(business.id, business.language, name)
        } catch (error) {
          log.warn(
            { businessId: business.id, error: errorMessage(error) },
            'a business’s prompts could not be rendered',
          )
        }
      }
    },
  }
}

function phraseText(name: PhraseName, script: IntakeScript): string {
  return name === 'connecting' ? connectingText(script.language) : script[name]
}
