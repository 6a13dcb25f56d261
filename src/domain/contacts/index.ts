export {
  contactChanges,
  createContact,
  newContact,
  phoneOf,
  setOptOut,
  tagContact,
  updateContact,
  writeOptOut,
  writeTags,
} from './change-contact.ts'
export { fillContact, insertUnreachableContact } from './fill-contact.ts'
export { mergeContacts } from './merge-contacts.ts'
export { addNote, addNoteWithin, editNote, listNotes, noteBody, noteView, removeNote } from './notes.ts'
export { readConsentWord } from './opt-out-words.ts'
export {
  contactFilters,
  contactView,
  getContact,
  getContacts,
  listContacts,
  listTags,
  lockContact,
  lockContactWhole,
  noContact,
  tag,
} from './queries.ts'
export { renameCaller } from './rename-contact.ts'
export { repairAllContacts, repairContacts, repairReport } from './repair-contacts.ts'
export {
  type ContactIdentity,
  contactsWithPhone,
  findContactByPhone,
  furtherNumber,
  hasPhoneAlone,
  identitiesOf,
  lockIdentities,
  resolveContact,
} from './resolve-contact.ts'
export { rememberWhatsAppId, whatsappIdOf } from './whatsapp-ids.ts'
