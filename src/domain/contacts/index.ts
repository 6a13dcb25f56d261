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
export { mergeContacts } from './merge-contacts.ts'
export { addNote, addNoteWithin, editNote, listNotes, noteBody, noteView, removeNote } from './notes.ts'
export { readConsentWord } from './opt-out-words.ts'
export {
  type ContactView,
  contactFilters,
  contactView,
  customFields,
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
export { type ContactIdentity, identitiesOf, lockIdentities, resolveContact } from './resolve-contact.ts'
export { rememberWhatsAppId } from './whatsapp-ids.ts'
