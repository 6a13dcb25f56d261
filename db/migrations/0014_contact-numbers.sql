ALTER TABLE "contact_identities" ADD COLUMN "phone" text;--> statement-breakpoint
ALTER TABLE "messages" ADD COLUMN "to_phone" text;