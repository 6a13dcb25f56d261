export { getContact, listContacts } from './queries.ts'
export { renameCaller } from './rename-contact.ts'
export { type ContactIdentity, resolveContact } from './resolve-contact.ts'
