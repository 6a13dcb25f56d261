ALTER TABLE "phone_numbers" ADD COLUMN "language" text;--> statement-breakpoint
ALTER TABLE "phone_numbers" ADD CONSTRAINT "phone_numbers_language" CHECK ("phone_numbers"."language" in ('he', 'en'));