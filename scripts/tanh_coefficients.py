# tanh(x) ~ x P(x^2)/Q(x^2) on [0,c]; weighted iteratively for minimax absolute+relative error
import numpy as np
def fit(dp,dq,c,iters=400):
    k=np.arange(4000); x=c*(1-np.cos(np.pi*(k+.5)/4000))/2; x=x.astype(np.longdouble); s=(x/c)**2
    f=np.tanh(x)
    wt=1/np.maximum(f,1e-9)   # relative error
    law=np.ones_like(x); qv=np.ones_like(x); best=None
    for it in range(iters):
        w=np.sqrt(law)*wt/np.abs(qv)
        A=np.stack([x*s**i for i in range(dp+1)]+[-f*s**j for j in range(1,dq+1)],1)*w[:,None]
        b=f*w
        sol=np.linalg.lstsq(A.astype(float),b.astype(float),rcond=None)[0]
        p=sol[:dp+1]; q=np.concatenate([[1],sol[dp+1:]])
        qv=sum(q[j]*s**j for j in range(dq+1)); pv=sum(p[i]*s**i for i in range(dp+1))
        err=np.abs(x*pv/qv-f)*wt; m=err.max()
        if best is None or m<best[0]: best=(m,p.copy(),q.copy())
        law*= (err/m+1e-3)**0.5; law/=law.max()
    m,p,q=best
    P=[float(p[i]/c**(2*i)) for i in range(dp+1)]; Q=[float(q[j]/c**(2*j)) for j in range(dq+1)]
    return float(m),P,Q
def f32err(P,Q,c):
    P=np.float32(P);Q=np.float32(Q)
    x=np.concatenate([np.linspace(-10,10,2000001),np.logspace(-30,0,20001)]).astype(np.float32); y=np.clip(x,np.float32(-c),np.float32(c)); s=y*y
    p=np.full_like(s,P[-1]); 
    for a in P[-2::-1]: p=p*s+a
    q=np.full_like(s,Q[-1])
    for a in Q[-2::-1]: q=q*s+a
    r=y*p/q; t=np.tanh(x.astype(float)); ulp=np.spacing(np.abs(t).astype(np.float32)).astype(float)
    return np.abs(r-t).max(), (np.abs(r-t)/ulp).max(), np.abs(r).max()
for dp,dq,c in [(4,4,7.9),(5,4,7.9),(6,3,7.9),(4,4,8.2),(5,4,8.5),(5,5,9.01),(6,4,9.01)]:
    m,P,Q=fit(dp,dq,c); print(dp,dq,c,m,f32err(P,Q,c)); print(P,Q)
