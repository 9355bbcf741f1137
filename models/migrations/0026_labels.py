"""Labels as rows: what was a constant, and further ones that a team needs sooner or later.

The first nine keep their keys in the review page. ``by_machine``: only checks set it, so it is not
offered. Rules and known images refer to labels; decisions and findings keep the name that they got.
"""

UP = """
CREATE TABLE label (
    name        text PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9_]{0,39}$'),
    title       text NOT NULL CHECK (title <> ''),
    button      text NOT NULL DEFAULT '',
    author_text text NOT NULL CHECK (author_text <> ''),
    guidance    text NOT NULL DEFAULT '',
    category    text NOT NULL DEFAULT 'OTHER_VIOLATION_TC',
    graphic     boolean NOT NULL DEFAULT false,
    by_machine  boolean NOT NULL DEFAULT false,
    position    integer NOT NULL,
    retired_at  timestamptz,
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE UNIQUE INDEX label_title ON label (lower(title)) WHERE retired_at IS NULL;
INSERT INTO label (position, name, title, button, author_text, category, graphic, by_machine,
                   guidance) VALUES
(1, 'nudity', 'Nudity', '', 'It shows nudity.', 'OTHER_VIOLATION_TC', true, false, ''),
(2, 'sexual', 'Sexual', '', 'It has sexual content.', 'OTHER_VIOLATION_TC', true, false, ''),
(3, 'scam', 'Scam', '', 'It looks like a scam.', 'SCAMS_AND_FRAUD', false, false, ''),
(4, 'violence', 'Violence', '', 'It shows violence or threatens with it.', 'VIOLENCE', true, false,
 'A credible threat to a person: save the submission, tell an administrator, call the police.'),
(5, 'hate', 'Hate', '', 'It attacks people for who they are.', 'ILLEGAL_OR_HARMFUL_SPEECH', false,
 false, ''),
(6, 'spam', 'Spam', '', 'It looks like spam or unwanted advertising.', 'OTHER_VIOLATION_TC', false,
 false, ''),
(7, 'contact_off_site', 'Off-site contact', 'Off-site',
 'It asks people to get in touch or to pay outside this site.', 'SCAMS_AND_FRAUD', false, false,
 ''),
(8, 'profanity', 'Profanity', '', 'It has offensive language.', 'OTHER_VIOLATION_TC', false, false,
 ''),
(9, 'other', 'Other', '', 'It does not follow the rules of this site.', 'OTHER_VIOLATION_TC', false,
 false, ''),
(10, 'self_harm', 'Self-harm', '',
 'It is about suicide or self-harm. If you are in danger, talk to somebody now: your country''s'
 ' crisis line is listed at https://findahelpline.com.', 'SELF_HARM', true, false,
 'Somebody may need help now: pass it to an administrator, who writes to the author. Do not only'
 ' reject it.'),
(11, 'minors_safety', 'Minors'' safety', 'Minors',
 'It puts children or young people at risk.', 'PROTECTION_OF_MINORS', true, false,
 'Do not copy, send or download it. Pass it to an administrator, who reports it to the authority'
 ' of your country.'),
(12, 'illegal_goods', 'Illegal goods', 'Illegal', 'It offers something that may not be sold here.',
 'UNSAFE_AND_PROHIBITED_PRODUCTS', false, false, ''),
(13, 'personal_data', 'Personal data', 'Personal', 'It shows personal data of somebody.',
 'DATA_PROTECTION_AND_PRIVACY_VIOLATIONS', false, false,
 'An address, a number or a document of somebody else: reject it even if the rest is harmless.'),
(14, 'suggestive', 'Suggestive', '', 'It is too suggestive for this site.', 'OTHER_VIOLATION_TC',
 false, false, ''),
(15, 'drawn_sexual', 'Drawn sexual', '', 'It is a sexual drawing.', 'OTHER_VIOLATION_TC', true,
 false, ''),
(16, 'toxicity', 'Toxicity', '', 'It insults or humiliates somebody.', 'ILLEGAL_OR_HARMFUL_SPEECH',
 false, false, ''),
(17, 'unreadable', 'Unreadable', '',
 'A picture cannot be read. Save it again and send the new file.', 'OTHER_VIOLATION_TC', false,
 true, ''),
(18, 'known', 'Known image', '', 'It has a picture that is not allowed here.',
 'OTHER_VIOLATION_TC', false, true, ''),
(19, 'error', 'Machine error', '', 'It could not be checked automatically.', 'OTHER_VIOLATION_TC',
 false, true, '');
INSERT INTO revision (name) VALUES ('labels');
ALTER TABLE rule ADD CONSTRAINT rule_label FOREIGN KEY (label) REFERENCES label NOT VALID;
ALTER TABLE known_hash ADD CONSTRAINT known_hash_label FOREIGN KEY (label) REFERENCES label
    NOT VALID;
"""

# An older release knows twelve labels only.
DOWN = """
ALTER TABLE rule DROP CONSTRAINT rule_label;
ALTER TABLE known_hash DROP CONSTRAINT known_hash_label;
UPDATE rule SET label = 'other' WHERE label NOT IN ('nudity', 'sexual', 'scam', 'violence', 'hate',
    'spam', 'contact_off_site', 'profanity', 'unreadable', 'known', 'error', 'other');
UPDATE known_hash SET label = 'other' WHERE label NOT IN ('nudity', 'sexual', 'scam', 'violence',
    'hate', 'spam', 'contact_off_site', 'profanity', 'unreadable', 'known', 'error', 'other');
DROP TABLE label;
DELETE FROM revision WHERE name = 'labels';
"""


def up(migrator, db):
    db.execute_sql(UP)


def down(migrator, db):
    db.execute_sql(DOWN)
