import type { IntakeScript, Language } from '../../providers/speech/port.ts'

export { type CatalogueQuery, catalogueQuery } from './catalogue-query.ts'
export {
  businessText,
  getProfile,
  type ReceptionistContent,
} from './content.ts'
export { type Draft, discardDraft, draftChanges, getDraft, publishDraft, rebaseDraft, saveDraft } from './draft.ts'
export { sendFollowUp } from './follow-up.ts'
export { buildInstructions, openingWords } from './instructions.ts'
export { foreignLinks, linksIn } from './links.ts'
export { foreignNumbers, numbersIn } from './numbers.ts'
export { overnightView, readOvernight } from './overnight.ts'
export { fingerprintScenarios } from './scenario-gate.ts'
export {
  createProfileCache,
  DEFAULT_RECEPTIONIST,
  type ProfileCache,
  type ReceptionistSettings,
  receptionistSettings,
} from './settings.ts'
export {
  listBusinessTexts,
  removeBusinessText,
  saveBusinessText,
} from './texts.ts'
export { toolLimitOf, toolLimits } from './tool-limits.ts'
export { type CallToolName, callTools, engineTools } from './tools.ts'
export {
  getProfileVersion,
  listProfiles,
  profilePageInput,
  putSettingsForTrial,
  restoreVersion,
  saveProfile,
} from './versions.ts'

/** Hebrew is pointed for the synthesizer (U+05AB: stress off the last syllable), and plural, which fits everybody. */
type Lines = {
  greeting: (businessName: string) => string
  askName: string
  askInquiry: string
  askCallbackTime: string
  reprompt: string
  thanks: string
  goodbye: string
  oneMoment: string
  voicemail: (businessName: string) => string
  notInService: string
  connecting: string
  whisper: (businessName: string) => string
}

const HEBREW: Lines = {
  greeting: (name) => `שָׁלוֹם, הִגַּ֫עְתֶּם אֶל ${name}. כָּאן הַמַּעֲנֶה הַקּוֹלִי.`,
  askName: 'מַה שִּׁמְכֶם, בְּבַקָּשָׁה?',
  askInquiry: 'תּוֹדָה. בְּמָה אֶפְשָׁר לַעֲזוֹר לָכֶם?',
  askCallbackTime: 'מָתַי נוֹחַ לָכֶם שֶׁנַּחֲזוֹר אֲלֵיכֶם?',
  reprompt: 'סְלִיחָה, לֹא שָׁמַ֫עְנוּ אֶתְכֶם.',
  thanks: 'תּוֹדָה רַבָּה, רָשַׁ֫מְנוּ אֶת הַפְּרָטִים.',
  goodbye: 'נַחֲזוֹר אֲלֵיכֶם בְּהֶקְדֵּם. לְהִתְרָאוֹת.',
  oneMoment: 'רַק רֶ֫גַע, בְּבַקָּשָׁה.',
  voicemail: (name) => `שָׁלוֹם, הִגַּ֫עְתֶּם אֶל ${name}. אֵין מַעֲנֶה כָּרֶ֫גַע. אָ֫נָּא הַשְׁאִ֫ירוּ הוֹדָעָה אַחֲרֵי הַצְּלִיל, וְנַחֲזוֹר אֲלֵיכֶם.`,
  connecting: 'רֶ֫גַע אֶחָד, אֲנִי מַעֲבִירָה אֶת הַשִּׂיחָה.',
  whisper: (name) => `שִׂיחָה שֶׁל ${name}.`,
  notInService: 'הַמִּסְפָּר שֶׁחִיַּגְתֶּם אֵינוֹ בְּשֵׁירוּת. תּוֹדָה, וְיוֹם טוֹב.',
}

const ENGLISH: Lines = {
  greeting: (name) => `Hello, you have reached ${name}. This is the voice assistant.`,
  askName: 'What is your name, please?',
  askInquiry: 'Thank you. What is it about?',
  askCallbackTime: 'When is a good time to call you back?',
  reprompt: 'Sorry, I did not hear you.',
  thanks: 'Thank you very much, I have written that down.',
  goodbye: 'We will call you back soon. Goodbye.',
  oneMoment: 'One moment, please.',
  voicemail: (name) =>
    `Hello, you have reached ${name}. No one can take your call right now. Please leave a message after the tone, and we will call you back.`,
  connecting: 'One moment, I will put you through.',
  whisper: (name) => `A caller for ${name}.`,
  notInService: 'The number you have called is not in service here. Thank you, and goodbye.',
}

const LINES: Record<Language, Lines> = { he: HEBREW, en: ENGLISH }

export type ScriptOptions = {
  language: Language
  businessName: string
  /** The business's own greeting. The first question is added to it unless it ends with a question of its own. */
  greeting?: string | null
  notice?: string | null
}

/**
 * The intake script: name, inquiry, callback time. The greeting ends with a question; thoughtful answers get longer silence.
 */
export function intakeScript({ language, businessName, greeting, notice }: ScriptOptions): IntakeScript {
  const lines = LINES[language]
  const own = greeting?.trim() || lines.greeting(businessName.trim())
  const opening = notice?.trim() ? `${notice.trim()} ${own}` : own
  return {
    language,
    greeting: opening.endsWith('?') ? opening : `${opening} ${lines.askName}`,
    questions: [
      { key: 'name', prompt: lines.askName, endOfTurnMs: 700 },
      { key: 'inquiry', prompt: lines.askInquiry, endOfTurnMs: 1000 },
      { key: 'callback_time', prompt: lines.askCallbackTime, endOfTurnMs: 900 },
    ],
    reprompt: lines.reprompt,
    thanks: lines.thanks,
    goodbye: lines.goodbye,
    oneMoment: lines.oneMoment,
  }
}

/** What a caller hears before the tone; `voicemail` is the business's own text. */
export function voicemailPrompt({
  language,
  businessName,
  voicemail,
}: Pick<ScriptOptions, 'language' | 'businessName'> & { voicemail?: string | undefined }): string {
  return voicemail?.trim() || LINES[language].voicemail(businessName.trim())
}

/** Said to a caller of a number that belongs to no business here. */
export function notInServiceText(language: Language): string {
  return LINES[language].notInService
}

export function connectingText(language: Language): string {
  return LINES[language].connecting
}

export function whisperText({ language, businessName }: Pick<ScriptOptions, 'language' | 'businessName'>): string {
  return LINES[language].whisper(businessName.trim())
}
