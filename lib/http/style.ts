/** The style of every page; its hash is in the content security policy, so it is never built from data. */
export const STYLE = `
:root{color-scheme:dark;--bg:#14131f;--fg:#e9e8f3;--dim:#aeacc4;--box:#1f1d30;--line:#3a3755;--link:#b3a9ff;--main:#4537d6;--on:#fff}
@media(prefers-color-scheme:light){:root{color-scheme:light;--bg:#fff;--fg:#1b1a26;--dim:#56546a;--box:#f4f3fb;--line:#d3d0e8;--link:#3a2bc4}}
:root[data-theme=dark]{color-scheme:dark;--bg:#14131f;--fg:#e9e8f3;--dim:#aeacc4;--box:#1f1d30;--line:#3a3755;--link:#b3a9ff}
:root[data-theme=light]{color-scheme:light;--bg:#fff;--fg:#1b1a26;--dim:#56546a;--box:#f4f3fb;--line:#d3d0e8;--link:#3a2bc4}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.6 system-ui,-apple-system,"Segoe UI",sans-serif}
header,main,footer{max-width:50rem;margin:0 auto;padding:0 1.1rem}
header{display:flex;justify-content:space-between;align-items:center;gap:1rem;min-height:3.6rem}
main{padding-top:1.2rem;padding-bottom:2.5rem}
footer{max-width:min(47.8rem,100% - 2.2rem);border-top:1px solid var(--line);padding:1rem 0 2rem;font-size:.9rem;color:var(--dim)}
h1{font-size:1.8rem;line-height:1.25;margin:0 0 .5rem;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:2.2rem 0 .7rem}
h3{font-size:1rem;margin:0 0 .2rem}
p{margin:.5rem 0;overflow-wrap:anywhere}
a{color:var(--link)}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
code,pre{font:14px/1.5 ui-monospace,SFMono-Regular,Menlo,monospace}
code{overflow-wrap:anywhere}
.skip{position:absolute;left:-100rem}.skip:focus{left:.5rem;top:.5rem;background:var(--bg);padding:.4rem .8rem}
.home{display:flex;align-items:center;gap:.6rem;color:var(--fg);text-decoration:none;font-weight:600;min-width:0}
.home span{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.home:hover span{text-decoration:underline}
button{flex:none;background:var(--box);color:var(--fg);border:1px solid var(--line);border-radius:8px;padding:.35rem .8rem;font:inherit;font-size:.9rem;cursor:pointer}
button:hover{border-color:var(--link)}
[hidden]{display:none}
.intro{display:flex;gap:1.2rem;align-items:center;margin:0 0 1rem}
.intro div{min-width:0}
.go{display:inline-block;background:var(--main);color:var(--on);text-decoration:none;font-weight:600;border-radius:8px;padding:.6rem 1.1rem;margin:.6rem 0}
.go:hover{text-decoration:underline}
.dim{color:var(--dim);overflow-wrap:anywhere}
.tag{display:inline-block;border:1px solid var(--line);background:var(--box);border-radius:99px;padding:.05rem .7rem;margin:.15rem .3rem .15rem 0;font-size:.9rem}
.badge{background:var(--box);border:1px solid var(--line);border-left:4px solid #d99a00;border-radius:8px;padding:.6rem 1rem}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,15rem),1fr));gap:.8rem;list-style:none;padding:0;margin:0}
.card{background:var(--box);border:1px solid var(--line);border-radius:10px;padding:.8rem 1rem;min-width:0}
.tags{margin:0 0 1rem}
.card p{margin:0;font-size:.95rem;color:var(--dim)}
dl{display:grid;grid-template-columns:minmax(9rem,auto) 1fr;gap:.35rem 1.2rem;margin:1rem 0}
dt{color:var(--dim)}dd{margin:0;min-width:0;overflow-wrap:anywhere}
.clone{display:flex;align-items:center;gap:.6rem;background:var(--box);border:1px solid var(--line);border-radius:8px;padding:.5rem .5rem .5rem .9rem;margin:.3rem 0 1rem}
.clone pre{flex:1;min-width:0;margin:0;padding:.25rem 0;white-space:pre-wrap;overflow-wrap:anywhere}
table{width:100%;border-collapse:collapse;font-size:.95rem;table-layout:fixed}
th,td{text-align:left;vertical-align:top;padding:.45rem .6rem .45rem 0;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
th{width:14rem;color:var(--dim);font-weight:400}
body:has(.grid) :is(header,main){max-width:90rem}body:has(.grid) footer{max-width:min(87.8rem,100% - 2.2rem)}
.wide{overflow-x:auto}
.grid{table-layout:auto;font-size:.88rem}
.grid th{width:auto;white-space:nowrap}.grid td{min-width:5.5rem;max-width:26rem}
.grid code[title]{white-space:nowrap}
.grid ul{margin:0;padding-left:1rem}
@media(max-width:34rem){
h1{font-size:1.45rem}.intro{align-items:flex-start;gap:.9rem}.intro img{width:56px;height:56px}
dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.6rem}
.clone{flex-direction:column;align-items:stretch;padding:.6rem .7rem}.clone button{align-self:flex-start}
table:not(.grid),table:not(.grid) :is(tbody,tr,th,td){display:block;width:100%}table:not(.grid) th{border:0;padding-bottom:0}table:not(.grid) td{padding-top:.1rem}
}`;
