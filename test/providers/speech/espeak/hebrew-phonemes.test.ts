import { expect, test } from 'bun:test'
import { hebrewPhonemes } from '../../../../src/providers/speech/espeak/hebrew-phonemes.ts'

const POINTED: [string, string][] = [
  ['שָׁלוֹם', "Sal'om"],
  ['הִגַּעְתֶּם לַמִּרְפָּאָה', "higa?t'em lamiRpa?'a"],
  ['אֵיךְ אֶפְשָׁר לַעֲזוֹר לָכֶם הַיּוֹם?', "?'eX ?efS'aR la?az'oR laX'em haj'om?"],
  ['תּוֹדָה רַבָּה, לְהִתְרָאוֹת', "tod'a Rab'a, lehitRa?'ot"],
  ['מַה הַשֵּׁם שֶׁלָּךְ?', "m'a haS'em Sel'aX?"],
  ['בְּאֵיזוֹ שָׁעָה נוֹחַ לַחֲזוֹר אֵלֶיךָ?', "be?ez'o Sa?'a n'oaX laXaz'oR ?el'eXa?"],
  ['בּוֹקֶר טוֹב', "b'okeR t'ov"],
  ['יֶלֶד', "j'eled"],
  ['שְׁתַּיִם', "St'ajim"],
  ['רוּחַ', "R'uaX"],
  ['אֲנִי רוֹצֶה לִקְבּוֹעַ תּוֹר לְיוֹם שְׁלִישִׁי', "?an'i Rots'e likb'oa t'oR lej'om SliS'i"],
  ['אָנָּא הַשְׁאִ֫ירוּ הוֹדָעָה אַחֲרֵי הַצְּלִיל', "?an'a haS?'iRu hoda?'a ?aXaR'e hatsl'il"],
  ['מִסְפַּר הַטֶּלֶפוֹן', "misp'aR hatelef'on"],
  ['דִּבַּרְתִּי', "dib'aRti"],
  ['שֶׁלָּנוּ', "Sel'anu"],
  ['הַלְּקוּחוֹת', "halekuX'ot"],
  ['שִׂמְחָה', "simX'a"],
  ["ג'וּלִי צִ'יפְּס", "dZul'i tS'ips"],
  ['כׇּל הַזְּמַן', "k'ol hazm'an"],
  ['גָּבֹהַּ', "gav'oah"],
]

test.each(POINTED)('pointed: %s', (text, phonemes) => {
  expect(hebrewPhonemes(text)).toBe(phonemes)
})

const UNPOINTED: [string, string][] = [
  ['דוד לוי', "dav'id lev'i"],
  ['אני רוצה לקבוע תור', "?an'i Rots'e likb'oa t'oR"],
  ['שלום, מחר בבוקר', "Sal'om, maX'aR beb'okeR"],
  ['ב', 'be'],
  ['הטלפון של מיכל', "hat'elefon S'el miX'al"],
]

test.each(UNPOINTED)('unpointed, from the lexicon: %s', (text, phonemes) => {
  expect(hebrewPhonemes(text)).toBe(phonemes)
})

test('an unknown word is guessed: vowels between the consonants, and one stress', () => {
  for (const word of ['גרינשפן', 'מזגנים', 'שווארמה', 'צה"ל']) {
    const phonemes = hebrewPhonemes(word)
    expect(phonemes).toMatch(/^[a-zA-Z?']+$/)
    expect(phonemes.match(/'/g)?.length).toBe(1)
    expect(phonemes).not.toMatch(/[^aeiou']{4}/)
  }
})

test('composed letters and decomposed ones read the same', () => {
  expect(hebrewPhonemes('שָׁלוֹם'.normalize('NFC'))).toBe(hebrewPhonemes('שָׁלוֹם'.normalize('NFD')))
  expect(hebrewPhonemes('\uFB2A\u05B8לוֹם')).toBe("Sal'om")
})

test('what is not Hebrew stays', () => {
  expect(hebrewPhonemes('Acme 12!')).toBe('Acme 12!')
})
