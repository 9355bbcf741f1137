"""Entries of the lists of other languages that are switched off in the starter rules.

They have an ordinary meaning in their language, are too common and mild to need review, or are
spelled like an ordinary English word. Chosen with word frequencies, not by native speakers.
"""

OFF_BY_LANGUAGE = {
    "ar": "اغتصاب; ثدي; جماع; شاذ; شهوة; فرج; قضيب; كس; مص",
    "cs": "bordel; debil; do prdele; hovno; prdel; prdelka; píchat; srát; čumět; žrát",
    "da": "anus; cock; lort; pis; shit",
    "de": """
        arsch; bimbo; bonze; bratze; fratze; ische; kacke; kacken; kimme; lümmel; mufti; muschi;
        möpse; nackt; nippel; orgasmus; penis; pinkeln; pissen; popel; poppen; porno; reudig;
        rosette; schabracke; scheiße; schiesser; schnackeln; vollpfosten
        """,
    "eo": "fek; fik; fiki; piĉen; piĉo",
    "es": """
        asesinato; asno; bastardo; caca; chupada; chupetón; concha; culo; drogas; esperma;
        fiesta de salchichas; haciendo el amor; heroína; idiota; imbécil; infierno; maciza;
        maldito; mamada; martillo; mierda; nazi; orina; pedo; pervertido; pezón; pinche; pis;
        prostituta; racista; ramera; semen; sexo; sexo oral; sádico; travesti; trio; tía buena;
        verga; vulva
        """,
    "fa": """
        ارگاسم; برهنه; تجاوز; تخمی; حشر; داف; سوپر; سکس; سکسی; شهوت; فیلم سوپر; لخت; لش; منی;
        هرزه; کس; کوس; کون
        """,
    "fi": """
        alfred nussi; haahka; helvetisti; hitosti; hitto; jätkä; muna; munaton; naida; nainti;
        narttu; paljaalla; palli; pallit; panna; pano; pantava; paska; paskainen; pehko;
        pentele; perkele; perkeleesti; persaukinen; perse; pipari; piru; pistää; reikä; reva;
        saatanasti; suklaaosasto; tavara; toosa; tuhkaluukku; vetää käteen; viiksi; vittu;
        vitun; vitusti
        """,
    "fil": "bobo; tanga",
    "fr": """
        baiser; bander; bigornette; bite; bitte; bordel; bourré; bourrée; caca; chatte; chier;
        chiottes; clito; clitoris; con; conne; cul; déconne; déconner; emmerdant; emmerder;
        folle; gerbe; gerber; grande folle; gueule; jouir; merde; meuf; ménage à trois; negro;
        pipi; pisser; putain; pédale; péter; ramoner; suce; tanche; tapette; trique; zizi; étron
        """,
    "fr-CA": "calice; criss",
    "hi": "chut; lund",
    "hu": """
        barmok; barmokat; barmot; barom; buksza; bukszák; bukszákat; bukszát; búr; búrok; fing;
        fingok; fingokat; fingot; franc; francok; francokat; francot; kúr; marha; marhák;
        marhákat; marhát; megdöglik; pele; pelék; pofa; pofákat; pofát; szar; szarabb; szarik;
        szarok; szarokat; szart
        """,
    "it": """
        anale; bagnarsi; balle; bastardo; battere; biga; boiata; bordello; brinca; cacca;
        cadavere; cagna; casci; cazzata; cesso; checca; chiappa; cornuto; cozza; culo; fava;
        femminuccia; figlio di buona donna; finocchio; goldone; guardone; imbecille; ingoio;
        mannaggia; merda; mona; monta; montare; mussa; nave scuola; padulo; palle; patacca;
        pecorina; pesce; pippa; pipì; pirla; piscio; pisello; pompa; porca; porca miseria;
        porco; porco due; porco zio; quaglia; regina; ruffiano; sbattere; sbattersi; scopare;
        sega; spagnola; sveltina; terrone; tette; tirare; topa; troia; vacca; vangare;
        zio cantante; zoccola
        """,
    "ja": """
        3p; s ＆ m; sm; sm女王; xx; いたずら; おしっこ; おしり; おっぱい; おもらし; お尻;
        しばり; なめ; ぽっちゃり; アジアのかわいい女の子; エクスタシー; エスコート; オシリ;
        オーガズム; カント; グロ; コカイン; スウィンガー; スカートの中; スラット; スリット;
        セックス; ディック; デブ; トップレス; ヌード; ハードコア; バイブレーター; パンティー;
        ビッチ; ファック; ファンタジー; フィスト; フック; プレイボーイ; ペニス; ホモ;
        ボーイズラブ; ポルノ; ラティーナ; ラバー; ランジェリー; レイプ; レズビアン; ロリータ;
        ローター; 両刀; 両性; 両性具有; 乳首; 人妻; 人種; 児童性虐待; 剃毛; 卍; 噴出; 売春婦;
        変態; 女の子; 女子高生; 女王様; 女装; 奴隷; 嫌い; 宦官; 射精; 巨乳; 平手打ち; 強姦犯;
        後背位; 性交; 拷問; 挿入; 支配; 正常位; 殺し方; 殺人事件; 殺人方法; 毛深い; 獣姦;
        生殖器; 直腸; 精液; 糞; 糞便; 縛り; 肛門; 脱衣; 膣; 自己愛性; 裸; 覗き; 誘惑; 陰毛
        """,
    "ko": """
        강간; 거유; 고자; 근친; 노모; 로리타; 망가; 몰카; 미친; 변태; 병신; 보지; 불알; 섹스;
        스와핑; 애자; 야사; 에로; 염병; 유모; 육갑; 자위; 자지; 쪽바리; 창녀; 포르노; 하드코어;
        호로; 후장
        """,
    "nl": """
        achter het raam zitten; aftrekken; anita; asbak; aso; balen; bekken; belazeren; beurt;
        boemelen; buffelen; de ballen; de hond uitlaten; de pijp uitgaan; del; een beurt geven;
        een wip maken; eikel; engerd; flikken; flikker; gat; godverdomme; gras maaien; griet;
        hol; kanen; klooien; kloten; knor; kont; kut; lul; lummel; matje; mof; muts; naaien;
        naakt; nicht; paal; palen; penoze; pijpen; pik; poep; poepen; poot; pot; potverdorie;
        raaskallen; reet; reutelen; rukken; schatje; schijt; shit; slet; spuiten; standje;
        standje-69; stootje; stront; sufferd; teef; toeter; vergallen; vingeren; watje; wippen;
        zaadje; zuigen
        """,
    "no": """
        asshole; dritt; fan; fanken; forbanna; forbannet; helvete; pokker; satan; shit;
        sinnsykt; skitt
        """,
    "pl": """
        burdel; ciota; cyc; debil; dmuchać; dupa; dupek; duperele; gówno; jajco; jajko;
        pierdoła; pierdzieć; rzygać; sraczka; suka; syf; zajebisty
        """,
    "pt": """
        aborto; amador; aranha; ariano; bastardo; bicha; bissexual; boob; bumbum; burro; cacete;
        camisinha; cerveja; chupar; clitoris; cocaína; coito; comer; consolo; corno; cu;
        dum raio; fecal; foda; frango assado; gozar; grelho; heroína; heterosexual; homem gay;
        homoerótico; homosexual; inferno; lolita; lésbica; mama; merda; passar um cheque; pau;
        pinto; porra; pênis; saco; sexo; torneira; transar; vadia; veado; vibrador; ânus
        """,
    "ru": """
        byk; gol; petuh; shalava; uboy; бугор; встать раком; голый; дерьмо; другой дразнится;
        какая разница; курите мою трубку; манда; мент; на фиг; обнаженный; офигеть;
        половое сношение; секс; срать; ссать; ты мне ваньку не валяй; фига; хапать; хер с ней;
        хер с ним; хохол; хрен
        """,
    "sv": """
        arsle; brutta; dra åt helvete; fan; för helvete; helvete; hård; jävlar; köttnacke;
        moona; moonade; moonar; moonat; mutta; olla; pippa; pitt; prutt; satan; skit ner dig;
        skita; stake; subba; sätta på; sås; tusan
        """,
    "th": """
        กะปิ; กู; ขี้; จู๋; ตูด; มึง; ล้างตู้เย็น; สัด; หลั่ง; หี; ห่า; หํา; เจี๊ยว; เสือก;
        แม่ง; ไอ้ควาย
        """,
    "tr": """
        am; amlar; amı; göt; göte; götler; götten; kaltak; otuz birci; sik; sike; siki; sikin;
        sikte; sikten; çingene; çingenede; çingeneden; çingeneler; çingenelerde; çingenelerden;
        çingenelere; çingeneleri; çingenelerin; çingenenin; çingeneye; çingeneyi
        """,
    "zh": """
        13.; 13点; 三级片; 九游; 乳头; 乳房; 交配; 他奶奶; 他妈; 他娘; 你全家; 你妈; 你娘;
        你老闆; 军妓; 刚度; 包皮; 十三点; 卵子; 双峰微颤; 后庭; 处女; 外阴; 大卵子; 大卵泡;
        奶子; 奸你; 妈的; 妓女; 妓院; 娘的; 嫖客; 密洞; 射你; 射精; 小乳头; 小卵子; 小卵泡;
        小鸡鸡; 屁股; 干七八; 干你; 强奸; 性交; 性器; 性无能; 性爱; 情色; 成人; 扒光; 打炮;
        打飞机; 插你; 撒尿; 放荡; 日你; 月经; 机机歪歪; 激情; 狗屁; 玉杵; 白烂; 白痴; 白癡;
        硬膠; 祖宗; 私服; 笨蛋; 粉腸; 精子; 老二; 老味; 老母; 色情; 花柳; 迷药; 野鸡; 阳萎;
        阴唇; 阴户; 阴毛; 阴茎; 阴道; 阴部; 靠背; 鬼公; 鸡鸡
        """,
}
